// Copyright (C) the msgbus authors

// npm's eventsource 2.  It comes back by itself, but with an id that it has
// taken before the event was whole: so it is told which was the last that was,
// by headers that it reads whenever it connects.

const EventSource = require('eventsource');

const print = line => console.log(JSON.stringify(line));
const headers = {};
const source = new EventSource(process.argv[2], { headers });

source.onopen = () => print({ state: 'open' });
source.onerror = error => print({
    state: source.readyState == 2 ? 'closed' : 'error',
    text: error.message ?? `${error.status ?? ''}`,
});

for (const type of ['message', 'msgbus.ping', 'msgbus.gap']) {
    source.addEventListener(type, event => {
        headers['Last-Event-ID'] = event.lastEventId;
        print({ event: event.type, id: event.lastEventId, data: event.data });
    });
}
