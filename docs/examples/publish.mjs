// Posts the lines of its input, each once, whatever becomes of connections:
//
//     node publish.mjs URL NAME < EVENTS
//
// NAME and the number of a line are the key of its event: who runs it again,
// with the same input, is told the same ids, and nothing is stored twice.
// Node 18 or later, nothing else.

import { createInterface } from 'node:readline';

const [url, name] = process.argv.slice(2);

async function publish(url, key, event) {
    for (;;) {
        let pause = 1;

        try {
            const answer = await fetch(url, {
                method: 'POST',
                body: event,
                headers: {
                    'Content-Type': 'application/json',
                    'Idempotency-Key': `"${key.replace(/["\\]/g, '\\$&')}"`,
                    // an answer with a body, which shows whether all of it has
                    // come
                    'Prefer': 'return=representation',
                },
                // longer than a bus waits for its store
                signal: AbortSignal.timeout(30000),
            });

            const text = await answer.text();

            if (answer.ok) {
                const again = answer.headers.has('Idempotency-Replayed');

                // what has left memory is not shown again: then it is
                // Msgbus-Stored that comes last, behind the id
                if (again && answer.headers.get('Content-Length') === '0'
                    && answer.headers.get('Msgbus-Stored') === 'all') {
                    return [answer.headers.get('Msgbus-Id'), again];
                }

                return [JSON.parse(text).id, again];
            }

            // 409: the one before this is still on its way; 429: too often
            if (answer.status < 500 && ![409, 429].includes(answer.status)) {
                console.error(`${url}: ${text}`);
                process.exit(1);
            }

            // a number, and not a date
            pause = Number(answer.headers.get('Retry-After') ?? pause) || pause;
            console.error(answer.status, text);

        } catch (error) {
            // it may be stored or not: the key will tell
            console.error(String(error.cause ?? error));
        }

        await new Promise(done => setTimeout(done, pause * 1000));
    }
}

let number = 0;

for await (const line of createInterface({ input: process.stdin })) {
    const [id, again] = await publish(url, `${name}/${++number}`, line);

    console.log(id, again ? 'again' : 'new');
}
