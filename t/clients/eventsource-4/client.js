// Copyright (C) the msgbus authors

// npm's eventsource 4.  An answer other than 200 ends it for good: whoever
// shall live on makes another one, with the id that came last.

import { EventSource } from 'eventsource';

const print = line => console.log(JSON.stringify(line));

let last;

function subscribe() {
    const source = new EventSource(process.argv[2], {
        fetch: (url, init) => fetch(url, { ...init, headers: {
            ...last && { 'Last-Event-ID': last }, ...init.headers,
        } }),
    });

    source.onopen = () => print({ state: 'open' });

    source.onerror = error => {
        const closed = source.readyState == EventSource.CLOSED;

        print({ state: closed ? 'closed' : 'error', text: error.message });

        if (closed) {
            setTimeout(subscribe, 1000 * (process.env.MSGBUS_WAIT ?? 3));
        }
    };

    for (const type of ['message', 'msgbus.ping', 'msgbus.gap']) {
        source.addEventListener(type, event => {
            last = event.lastEventId;
            print({ event: event.type, id: last, data: event.data });
        });
    }
}

subscribe();
