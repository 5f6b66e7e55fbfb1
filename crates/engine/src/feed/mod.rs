//! Feeds: what fills a flow's frame queue from files and HTTP.
