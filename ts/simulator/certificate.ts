/** Makes a self-signed certificate for one address, with node:crypto and a few lines of DER. */

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";

const DAY_MS = 86_400_000;
const OID_COMMON_NAME = [0x55, 0x04, 0x03];
const OID_SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];
const OID_BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];
const OID_ECDSA_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/** A private key and its certificate (P-256, valid for 30 days), in PEM. */
export function createCertificate(host: string): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const body = tbs(host, publicKey.export({ type: "spki", format: "der" }));
  const signature = sign("sha256", body, privateKey);
  const cert = der(0x30, body, algorithm(), der(0x03, Buffer.from([0]), signature));
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: pem(cert),
  };
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** The part of a certificate that is signed (RFC 5280, section 4.1). */
function tbs(host: string, publicKey: Buffer): Buffer {
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const serial = der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)]));
  const name = der(0x30, der(0x31, der(0x30, oid(OID_COMMON_NAME), der(0x0c, Buffer.from(host)))));
  const now = Date.now();
  const validity = der(0x30, utcTime(now - DAY_MS), utcTime(now + 30 * DAY_MS));
  const extensions = der(0xa3, der(0x30, altName(host), endEntity()));
  return der(0x30, version, serial, algorithm(), name, validity, name, publicKey, extensions);
}

function altName(host: string): Buffer {
  const value = isIPv4(host)
    ? der(0x87, Buffer.from(host.split(".").map(Number)))
    : der(0x82, Buffer.from(host));
  return der(0x30, oid(OID_SUBJECT_ALT_NAME), der(0x04, der(0x30, value)));
}

/**
 * Says that this is no authority: clients trust the very certificate that they are shown, and some (rustls) take
 * no authority for a server.
 */
function endEntity(): Buffer {
  return der(
    0x30,
    oid(OID_BASIC_CONSTRAINTS),
    der(0x01, Buffer.from([0xff])),
    der(0x04, der(0x30)),
  );
}

function algorithm(): Buffer {
  return der(0x30, oid(OID_ECDSA_SHA256));
}

function utcTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return der(0x17, Buffer.from(`${text}Z`));
}

function oid(bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

/** Tag, length, value. */
function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const size =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}
