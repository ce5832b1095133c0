// Copyright (C) the msgbus authors

// reqwest-eventsource.  It comes back by itself; an answer other than 200 ends
// it for good, so there is a loop around it, which hands on the id: by the
// query, for it sends a header Last-Event-ID of its own.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest_eventsource::{Event, EventSource};
use serde_json::json;

async fn subscribe(url: &str, last: &mut String) {
    let url = match last.is_empty() {
        true => url.to_string(),
        false => {
            let with = if url.contains('?') { '&' } else { '?' };
            format!("{url}{with}last-event-id={last}")
        }
    };

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut source = EventSource::new(client.get(url)).unwrap();

    while let Some(event) = source.next().await {
        match event {
            Ok(Event::Open) => println!("{}", json!({"state": "open"})),
            Ok(Event::Message(m)) => {
                last.clone_from(&m.id);
                println!("{}", json!({"event": m.event, "id": m.id, "data": m.data}));
            }
            Err(e) => println!("{}", json!({"state": "error", "text": e.to_string()})),
        }
    }
}

fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let wait = std::env::var("MSGBUS_WAIT")
        .ok()
        .and_then(|w| w.parse().ok())
        .unwrap_or(3.0);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    runtime.block_on(async {
        let mut last = String::new();

        loop {
            subscribe(&url, &mut last).await;
            println!("{}", json!({"state": "closed"}));
            tokio::time::sleep(Duration::from_secs_f64(wait)).await;
        }
    });
}
