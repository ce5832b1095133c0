'use strict';

// The page of "make run": it shows the events of a channel as they come, and
// publishes.  What others have posted reaches the page as text alone.

// the bus has something to say every 15 seconds
const SILENCE = 50_000;

// how often subscribers are counted, and how many events the page shows
const PERIOD = 2_000, SHOWN = 100;

const $ = id => document.getElementById(id);

let channel, source, watch, last, turn = 0;


// --- the channel, which is in the page's address: /#/greetings

function choose() {
    const name = decodeURIComponent(location.hash.slice(1));

    channel = /^(\/[A-Za-z0-9_-]+)+$/.test(name) ? name : '/greetings';
    last = undefined;

    $('channel').value = channel;
    $('events').replaceChildren();
    $('empty').hidden = false;

    showCode();
    subscribe();
    count();
}


// --- events: what is there, then what comes

async function subscribe() {
    const mine = ++turn;

    clearTimeout(watch);
    source?.close();

    if (last === undefined) {
        const found = await newest(channel);

        // another channel has been chosen since
        if (mine != turn) {
            return;
        }

        if (!found) {
            away();
            return;
        }

        found.events.reverse().forEach(event => show(event, false));
        last = found.last;
    }

    source = new EventSource(`/bus${channel}?last-event-id=${last}`);

    source.onopen = () => tell('live', true);
    source.onerror = away;

    source.addEventListener('message', message => {
        show(JSON.parse(message.data), true);
        heard(message);
    });

    source.addEventListener('msgbus.ping', heard);

    source.addEventListener('msgbus.gap', message => {
        add('gap').textContent =
            'Some events have expired before this page could read them.';
        heard(message);
    });

    again(SILENCE);
}


// The newest events of the channel, newest first, and where to go on from.

async function newest(of) {
    try {
        const answer = await fetch(`/bus${of}?sort=-1&max-events=${SHOWN}`,
                                   { cache: 'no-store' });

        if (!answer.ok) {
            return null;
        }

        return {
            events: answer.status == 204 ? [] : (await answer.json()).events,
            last: answer.headers.get('Msgbus-Last-Id'),
        };

    } catch {
        return null;
    }
}


// An EventSource comes back by itself, unless the answer was an error: then it
// has given up, and the page makes a new one.

function away() {
    tell('away, reconnecting', false);

    if (!source || source.readyState == EventSource.CLOSED) {
        again(2_000 + 2_000 * Math.random());
    }
}


function again(time) {
    clearTimeout(watch);
    watch = setTimeout(subscribe, time);
}


function heard(message) {
    last = message.lastEventId;
    again(SILENCE);
}


function tell(text, live) {
    $('state').textContent = text;
    $('state').classList.toggle('live', live);
}


// --- what the page shows of an event

function element(name, text, kind) {
    const made = document.createElement(name);

    made.textContent = text ?? '';
    made.className = kind ?? '';

    return made;
}


function add(kind) {
    const item = element('li', '', kind);

    $('empty').hidden = true;
    $('events').prepend(item);

    while ($('events').children.length > SHOWN) {
        $('events').lastChild.remove();
    }

    return item;
}


function show(event, fresh) {
    const about = element('p', '', 'about');
    const time = new Date(event.created_at.replace(' ', 'T'));
    const agent = event.user_agent ?? '';

    about.append(element('span', time.toLocaleTimeString()),
                 element('span', `id ${event.id}`),
                 element('span', agent.startsWith('Mozilla/') ? 'a browser'
                                 : agent.split(' ')[0], 'from'));

    add(fresh ? 'fresh' : '').append(about,
                                     element('pre', JSON.stringify(event.data)));
    $('newest').textContent = event.id;
}


// --- how many watch

async function count() {
    const mine = channel;

    try {
        const query = new URLSearchParams({ prefix: mine, limit: 1 });
        const answer = await fetch('/channels?' + query, { cache: 'no-store' });
        const [first] = (await answer.json()).channels;

        if (mine != channel) {
            return;
        }

        const known = first?.channel == mine ? first : null;

        $('subscribers').textContent =
            known ? known.subscribers.stream + known.subscribers.long_poll : 0;
        $('count').textContent = known?.events ?? 0;
        $('newest').textContent = known?.newest ?? '–';

    } catch {
        $('subscribers').textContent = '–';
    }
}


// --- publishing

async function publish() {
    const answer = $('answer');

    answer.className = '';
    answer.textContent = 'sent';

    try {
        const response = await fetch(`/bus${channel}`, {
            method: 'POST',
            body: $('data').value,
            headers: { 'Content-Type': 'application/json' },
        });

        if (response.ok) {
            answer.className = 'stored';
            answer.textContent = `${response.status}: stored, with the id `
                                 + response.headers.get('Msgbus-Id');
            return;
        }

        const { message } = await response.json();

        answer.textContent = `${response.status}: `
                             + (message || response.statusText)
                             + (message == 'Invalid JSON'
                                ? ': an event is a JSON object or array' : '');

    } catch (error) {
        answer.textContent = `no answer: ${error.message}`;
    }

    answer.className = 'refused';
}


// --- the same from a program, with the address of this server

const CODE = {
    curl: {
        publish: url =>
`curl -i ${url} \\
    -d '{"text":"hello from curl"}'`,

        subscribe: url =>
`curl -N ${url} \\
    -H 'Accept: text/event-stream'`,
    },

    python: {
        publish: url =>
`import urllib.request

url = "${url}"
event = b'{"text":"hello from Python"}'

with urllib.request.urlopen(url, event) as answer:
    print(answer.status, answer.headers["Msgbus-Id"])`,

        subscribe: url =>
`import json, urllib.request

url = "${url}"
headers = {"Accept": "application/x-ndjson"}
request = urllib.request.Request(url, headers=headers)

for line in urllib.request.urlopen(request):
    message = json.loads(line)

    if "data" in message:
        print(message["id"], message["data"])`,
    },

    javascript: {
        publish: url =>
`const answer = await fetch('${url}', {
    method: 'POST',
    body: JSON.stringify({ text: 'hello from JavaScript' }),
});

console.log(answer.status, answer.headers.get('Msgbus-Id'));`,

        subscribe: url =>
`const source = new EventSource('${url}');

source.onmessage = message => {
    const event = JSON.parse(message.data);

    console.log(event.id, event.data);
};`,
    },
};

const tabs = [...document.querySelectorAll('[role=tab]')];

let language = 'curl';


function showCode() {
    const code = CODE[language], url = `${location.origin}/bus${channel}`;

    $('code-publish').textContent = code.publish(url);
    $('code-subscribe').textContent = code.subscribe(url);
}


function select(tab) {
    for (const one of tabs) {
        one.setAttribute('aria-selected', one == tab);
        one.tabIndex = one == tab ? 0 : -1;
    }

    language = tab.id.slice('tab-'.length);
    $('code').setAttribute('aria-labelledby', tab.id);
    showCode();
}


async function copy(button) {
    const pre = $(button.dataset.of);

    try {
        await navigator.clipboard.writeText(pre.textContent + '\n');
        button.textContent = 'Copied';

    } catch {
        // no clipboard here: it is marked, for Ctrl-C
        getSelection().selectAllChildren(pre);
        button.textContent = 'Press Ctrl-C';
    }

    setTimeout(() => button.textContent = 'Copy', 2_000);
}


$('choose').onsubmit = submit => {
    submit.preventDefault();
    location.hash = $('channel').value;
};

$('publish').onsubmit = submit => {
    submit.preventDefault();
    publish();
};

$('data').onkeydown = key => {
    if (key.key == 'Enter' && (key.ctrlKey || key.metaKey)) {
        $('publish').requestSubmit();
    }
};

tabs.forEach((tab, n) => {
    tab.onclick = () => select(tab);

    tab.onkeydown = key => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[key.key];

        if (step) {
            const next = tabs[(n + step + tabs.length) % tabs.length];

            next.focus();
            select(next);
        }
    };
});

for (const button of document.querySelectorAll('.copy')) {
    button.onclick = () => copy(button);
}

window.onhashchange = choose;

// a page that nobody sees does not count
document.onvisibilitychange = () => document.hidden || count();
setInterval(document.onvisibilitychange, PERIOD);

choose();
