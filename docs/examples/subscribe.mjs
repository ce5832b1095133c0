// Prints the events of a channel, or of several, each once:
//
//     node subscribe.mjs URL [CURSOR [COUNT]]
//
// CURSOR is the id of an event, after which it begins (0), or a file that keeps
// the id: started again, it goes on from there.  It ends after COUNT events
// (never).  It comes back by itself when the connection breaks or is silent.
// Node 18 or later, nothing else.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

// milliseconds: longer than from one heartbeat of the bus to the next
const SILENCE = 60_000;

const [url, cursor = '0', count = Infinity] = process.argv.slice(2);

async function* messages(url, cursor) {
    for (;;) {
        const silence = new AbortController();
        let body;

        // Node 18 may forget the signal once the answer has begun
        const timer = setTimeout(() => {
            silence.abort(new Error('silence'));
            body?.cancel().catch(() => {});
        }, SILENCE);

        try {
            const answer = await fetch(url, {
                headers: {
                    'Accept': 'text/event-stream',
                    'Last-Event-ID': cursor,
                },
                signal: silence.signal,
            });

            if (!answer.ok) {
                const text = `${url}: ${await answer.text()}`;

                // another 4xx would be the same the next time
                if (answer.status < 500 && ![408, 429].includes(answer.status)) {
                    console.error(text);
                    process.exit(1);
                }

                throw new Error(text);
            }

            const decoder = new TextDecoder();
            let text = '';

            body = answer.body.getReader();

            for (;;) {
                const { done, value } = await body.read();

                if (done) {
                    break;
                }

                text += decoder.decode(value, { stream: true });

                const blocks = text.split('\n\n');

                timer.refresh();

                // the last one is not whole: its id does not count yet
                text = blocks.pop();

                for (const block of blocks) {
                    const message = Object.fromEntries(
                        block.split('\n').map(line => line.split(/: (.*)/)));

                    cursor = message.id ?? cursor;

                    if (message.data) {
                        yield message;
                    }
                }
            }

        } catch (error) {
            console.error(String(error.cause ?? error));

        } finally {
            clearTimeout(timer);
            body?.cancel().catch(() => {});
        }

        // not all of a crowd at once
        await new Promise(done => setTimeout(done, 1000 + 1000 * Math.random()));
    }
}

// the id of the last event that was handled, in a file where one is named

const file = /^\d+$/.test(cursor) ? null : cursor;

let last = file === null ? cursor
         : existsSync(file) ? readFileSync(file, 'utf8').trim() : '0';

function keep(id) {
    if (file !== null && id != last) {
        // whole, or not at all
        writeFileSync(file + '.new', id + '\n');
        renameSync(file + '.new', file);
    }

    last = id;
}

let left = count;

for await (const { event, data, id } of messages(url, last)) {

    if (!event) {
        // of several channels, each event names its own
        const { id, channel = [], data: posted } = JSON.parse(data);

        console.log(id, ...[channel].flat(), JSON.stringify(posted));
        left--;

    } else if (event == 'msgbus.gap') {
        // some have expired before they were read: a program that keeps a
        // state loads all of it here, and goes on
        console.error('gap', data);
    }

    // after the event is handled; a heartbeat (msgbus.ping) has an id, too
    keep(id);

    if (left == 0) {
        break;
    }
}
