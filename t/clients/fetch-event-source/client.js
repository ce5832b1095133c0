// Copyright (C) the msgbus authors

// npm's @microsoft/fetch-event-source, which is made for browsers: it wants a
// window and a document.  Where a stream ends, onclose must throw, or it does
// not come back; where an answer is an error, onopen must.  It comes back with
// an id that it has taken before the event was whole: so a fetch of one's own
// tells which was the last that was.

globalThis.window = globalThis;
globalThis.document = { addEventListener() {}, removeEventListener() {} };

const { fetchEventSource, EventStreamContentType }
    = await import('@microsoft/fetch-event-source/lib/cjs/index.js');

const print = line => console.log(JSON.stringify(line));

let last;

await fetchEventSource(process.argv[2], {
    openWhenHidden: true,

    fetch: (url, init) => fetch(url, { ...init, headers: {
        ...init.headers, ...last && { 'last-event-id': last },
    } }),

    async onopen(answer) {
        print({ state: 'open', text: `${answer.status}` });

        if (!answer.ok || !answer.headers.get('content-type')
                                  ?.startsWith(EventStreamContentType))
        {
            throw new Error(`it answered ${answer.status}`);
        }
    },

    onmessage({ event, id, data }) {
        last = id || last;
        print({ event: event || 'message', id, data });
    },

    onclose() {
        throw new Error('the stream has ended');
    },

    onerror: error => print({ state: 'error', text: error.message }),
});

print({ state: 'closed' });
