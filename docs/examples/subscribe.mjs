// Prints the events of a channel, or of some, each once, whatever becomes of connections:
//
//     node subscribe.mjs URL [CURSOR [COUNT]]
//
// It begins after the event CURSOR (0), and ends after COUNT events (never).
// Node 18 or later, nothing else.

const [url, cursor = '0', count = Infinity] = process.argv.slice(2);

async function* messages(url, cursor) {
    for (;;) {
        try {
            const answer = await fetch(url, { headers: {
                'Accept': 'text/event-stream',
                'Last-Event-ID': cursor,
            } });

            if (answer.status >= 400 && answer.status < 500) {
                console.error(`${url}: ${await answer.text()}`);
                process.exit(1);
            }

            let text = '';

            for await (const part of answer.body
                                     .pipeThrough(new TextDecoderStream()))
            {
                const blocks = (text + part).split('\n\n');

                // the last one is not whole: its id does not count yet
                text = blocks.pop();

                for (const block of blocks) {
                    const message = Object.fromEntries(
                        block.split('\n').map(line => line.split(/: (.*)/)));

                    cursor = message.id ?? cursor;

                    // a ping has moved the cursor on, and that is all of it
                    if (message.data && message.event != 'msgbus.ping') {
                        yield message;
                    }
                }
            }

        } catch (error) {
            console.error(String(error.cause ?? error));
        }

        await new Promise(done => setTimeout(done, 1000));
    }
}

let left = count;

for await (const { event, data } of messages(url, cursor)) {

    if (event) {
        // msgbus.gap: some have gone before they were read
        console.error(event, data);
        continue;
    }

    // where several are asked for, each event says of which it is
    const { id, channel = [], data: posted } = JSON.parse(data);

    console.log(id, ...[channel].flat(), JSON.stringify(posted));

    if (--left == 0) {
        break;
    }
}
