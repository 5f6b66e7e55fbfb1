/** TLS contexts are shared by sockets that trust the same authorities, and by no others. */

import test from "ava";
import { secureContext } from "../../ts/gateway/tls.ts";

test("sockets with the same authorities share a context", (t) => {
  t.is(secureContext({}), secureContext({}));
  t.is(secureContext({ ca: "one" }), secureContext({ ca: "one" }));
  t.not(secureContext({ ca: "one" }), secureContext({ ca: "two" }));
  t.not(secureContext({}), secureContext({ ca: "one" }));
});

test("contexts of authorities long unused are forgotten", (t) => {
  const first = secureContext({ ca: "first" });
  for (let other = 0; other < 8; other++) secureContext({ ca: `other ${other}` });
  t.not(secureContext({ ca: "first" }), first);
});
