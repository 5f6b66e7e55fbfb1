//! No thread outlives a feed host. Alone in its file: it counts the threads of the whole process.

mod feed_support;

use feed_support::server::Server;
use feed_support::{Bench, config, content, until};

fn threads_of_ours() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("this is Linux");
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("cadenza-")).count()
}

#[test]
fn no_thread_outlives_its_host() {
    if !cfg!(target_os = "linux") {
        return;
    }
    assert_eq!(threads_of_ours(), 0);
    let server = Server::start(|request, reply| {
        reply.part(request, &content(100_000), "\"one\"", 20_000);
        reply.stall();
    });
    for _ in 0..5 {
        let bench = Bench::new(config());
        let listeners: Vec<_> = (0..8)
            .map(|feed| bench.load(feed, server.source("/a.whole")))
            .collect();
        // One decode worker, the IO thread, and one thread in place of each that waits.
        until("all wait", || threads_of_ours() == 10);
        bench.host.shutdown();
        // A thread that was joined is still listed for a moment.
        until("none is left", || threads_of_ours() == 0);
        drop(listeners);
    }
}
