'use strict';

// what is plotted, and how often it is asked for: "#every=5" has it every 5 s
const SPAN = 300;
const PERIOD = Math.min(Math.max(
    Number(/\bevery=([\d.]+)/.exec(location.hash)?.[1]) || 2, 0.1), 60);

// rates of what is rare, and quantiles, are those of some seconds
const WINDOW = Math.max(10, 2 * PERIOD);

// text that came from the server, or was made here: never HTML
function make(parent, name, attributes, text) {
    const node = parent.appendChild(document.createElement(name));

    for (const [key, value] of Object.entries(attributes ?? {})) {
        node.setAttribute(key, value);
    }

    node.textContent = text ?? '';
    return node;
}

function draw(parent, name, attributes) {
    const node = parent.appendChild(
        document.createElementNS('http://www.w3.org/2000/svg', name));

    for (const [key, value] of Object.entries(attributes)) {
        node.setAttribute(key, value);
    }

    return node;
}

// only when it differs: what is read aloud or selected stays as it is
function say(node, text, level) {
    if (node.textContent !== text) {
        node.textContent = text;
    }

    if (level !== undefined && node.dataset.level !== level) {
        node.dataset.level = level;
        node.classList.remove('good', 'warn', 'bad');
        if (level) {
            node.classList.add(level);
        }
    }
}


// --- numbers for people

const NONE = '\u2013';
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

function digits(n) {
    return n >= 100 || n === 0 ? 0 : n >= 10 ? 1 : 2;
}

function short(n) {
    return String(Number(n.toFixed(digits(n))));
}

function count(n) {
    return n === null || n === undefined ? NONE
           : n < 1e7 ? whole.format(n)
           : n < 1e9 ? short(n / 1e6) + ' million' : short(n / 1e9) + ' billion';
}

function rate(n) {
    return n === null ? NONE : (n < 100 ? short(n) : whole.format(n));
}

function bytes(n) {
    if (n === null || n === undefined) {
        return NONE;
    }

    let unit = 0;

    while (n >= 1024 && unit < 5) {
        n /= 1024;
        unit++;
    }

    return (unit ? short(n) : whole.format(n))
           + ['\u00a0B', '\u00a0KiB', '\u00a0MiB', '\u00a0GiB', '\u00a0TiB', '\u00a0PiB'][unit];
}

function time(s) {
    if (s === null || s === undefined) {
        return NONE;
    }

    if (s < 60) {
        return s >= 1 ? short(s) + '\u00a0s'
               : s >= 1e-3 ? short(s * 1e3) + '\u00a0ms'
               : s > 0 ? short(s * 1e6) + '\u00a0\u00b5s' : '0\u00a0s';
    }

    const units = [[86400, 'd', 3600, 'h'], [3600, 'h', 60, 'min'],
                   [60, 'min', 1, 's']];
    const [big, name, small, rest] = units.find(unit => s >= unit[0]);
    const left = Math.floor(s % big / small);

    return Math.floor(s / big) + '\u00a0' + name
           + (left && s < 20 * big ? ' ' + left + '\u00a0' + rest : '');
}

function share(part, all) {
    return all ? Math.round(100 * part / all) + '\u00a0%' : NONE;
}


// --- of two looks at the server: null where nothing can be said

function sum(object) {
    return Object.values(object ?? {}).reduce((all, n) => all + (n || 0), 0);
}

function since(now, then, of) {
    if (!then || then.started !== now.started) {
        return null;
    }

    const more = of(now.zone) - of(then.zone);

    return more >= 0 ? more : null;
}

function perSecond(now, then, of) {
    const more = since(now, then, of);
    const took = then ? now.time - then.time : 0;

    return more === null || took <= 0 ? null : more / took;
}

// the time below which a share of all is, by the buckets of a histogram
function quantile(q, now, then) {
    const before = new Map(then?.buckets ?? []);
    const buckets = (now?.buckets ?? []).map(
        ([le, n]) => [le === '+Inf' ? Infinity : Number(le), n - (before.get(le) ?? 0)]);
    const all = buckets.length ? buckets[buckets.length - 1][1] : 0;

    if (all <= 0) {
        return null;
    }

    let [below, passed] = [0, 0];

    for (const [le, n] of buckets) {
        if (n >= q * all) {
            return le === Infinity ? below
                   : below + (le - below) * (q * all - passed) / (n - passed || 1);
        }

        [below, passed] = [le, n];
    }

    return below;
}

function recent(now, then, q, of) {
    return !then || then.started !== now.started ? null
           : quantile(q, of(now.zone), of(then.zone));
}

function mean(histogram) {
    return histogram?.count ? histogram.sum / histogram.count : null;
}


// --- a plot: one or two lines of the last minutes

const WIDTH = 300, HEIGHT = 72;
let span = 60, started = [];

class Plot {
    constructor(parent, title, options) {
        const card = make(parent, 'section', { class: 'card' });

        Object.assign(this, { title, points: [], names: [], format: rate, unit: '' },
                      options);

        make(card, 'h3', {}, title);
        this.value = make(card, 'p', { class: 'value' });
        this.big = make(this.value, 'span');
        this.small = make(this.value, 'small');

        const key = make(card, 'p', { class: 'key' });

        this.names.forEach(name => make(key, 'span', {}, name));

        this.svg = draw(card, 'svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img',
                                       preserveAspectRatio: 'none' });
        draw(this.svg, 'path', { class: 'grid', d: `M0 1H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}` });
        this.starts = draw(this.svg, 'path', { class: 'start' });
        this.area = draw(this.svg, 'path', { class: 'area' });
        this.lines = ['first', 'second'].map(
            name => draw(this.svg, 'path', { class: name }));
        this.hand = draw(this.svg, 'path', { class: 'hand' });

        const foot = make(card, 'p', { class: 'foot' });

        this.left = make(foot, 'span');
        this.right = make(foot, 'span');

        this.svg.addEventListener('pointermove', event => {
            const box = this.svg.getBoundingClientRect();

            this.at = (event.clientX - box.left) / box.width;
            this.show();
        });

        this.svg.addEventListener('pointerleave', () => {
            this.at = undefined;
            this.show();
        });
    }

    // of a moment: a number for each line, or null; [] where the server was away
    add(at, values, small) {
        this.points.push({ at, values });
        this.points = this.points.filter(point => point.at > at - SPAN - 2 * PERIOD);
        this.last = values;
        this.note = small ?? '';
    }

    text(value) {
        return value === null ? NONE : this.format(value) + this.unit;
    }

    show(now = this.now) {
        this.now = now;

        const x = at => (WIDTH * (1 - (now - at) / span)).toFixed(1);
        const seen = this.points.filter(point => point.at >= now - span);
        const peak = Math.max(0, ...seen.flatMap(point => point.values));
        const y = value => (HEIGHT - (HEIGHT - 3) * (peak ? value / peak : 0)).toFixed(1);
        let area = '';

        this.lines.forEach((line, n) => {
            let path = '', from = null;

            for (const { at, values } of seen) {
                const value = values[n] ?? null;

                if (value === null) {
                    area += n || from === null ? '' : `V${HEIGHT}H${from}Z`;
                    from = null;
                }

                if (value !== null) {
                    path += `${from === null ? 'M' : 'L'}${x(at)} ${y(value)}`;

                    if (!n) {
                        area += from === null ? `M${x(at)} ${HEIGHT}L${x(at)} ${y(value)}`
                                              : `L${x(at)} ${y(value)}`;
                    }

                    from ??= x(at);
                }
            }

            area += n || from === null ? '' : `V${HEIGHT}H${from}Z`;
            line.setAttribute('d', path);
        });

        this.area.setAttribute('d', area);
        this.starts.setAttribute('d', started.filter(at => at > now - span && at < now)
                                             .map(at => `M${x(at)} 0V${HEIGHT}`).join(''));

        const names = this.names.length > 1 ? this.names : [];
        const tell = values => values.map(
            (value, n) => (names[n] ? names[n] + ' ' : '') + this.text(value)).join(', ');

        say(this.big, this.text(this.last?.[0] ?? null));
        say(this.small, this.note ?? '');

        let point = null;

        if (this.at !== undefined && seen.length) {
            const at = now - span * (1 - this.at);

            point = seen.reduce((best, one) => Math.abs(one.at - at) < Math.abs(best.at - at)
                                               ? one : best);
        }

        this.hand.setAttribute('d', point ? `M${x(point.at)} 0V${HEIGHT}` : '');

        if (point) {
            say(this.left, new Date(point.at * 1000).toLocaleTimeString('en-GB'));
            say(this.right, tell(point.values) || 'no answer');

        } else {
            say(this.left, time(span) + ' ago');
            say(this.right, peak ? 'peak ' + this.text(peak) : '');
        }

        this.svg.setAttribute('aria-label',
            `${this.title}, since ${time(span)}. Now ${tell(this.last ?? [null])}`
            + `, at most ${this.text(peak)}.`);
    }
}


// --- facts: names and values in a card

class Facts {
    constructor(parent, title) {
        this.card = make(parent, 'section', { class: 'card' });
        make(this.card, 'h3', {}, title);
        this.list = make(this.card, 'dl');
        this.values = new Map();
    }

    set(name, text, level = '', title = '') {
        let value = this.values.get(name);

        if (!value) {
            const row = make(this.list, 'div');

            make(row, 'dt', {}, name);
            value = make(row, 'dd');
            this.values.set(name, value);
        }

        say(value, text, level);
        value.title = title;
    }
}


// --- a zone

const REFUSED = {
    invalid: 'not valid JSON, or not allowed', too_large: 'too large',
    unauthorized_origin: 'page of another origin', full: 'zone is full',
    store_away: 'store is away', timeout: 'store was too slow',
    key_conflict: 'key used for another body', other: 'other reasons',
};

const READS = {
    page: 'pages with events', empty: 'nothing new (204)',
    not_modified: 'not modified (304)', long_poll: 'long polling',
    sse: 'SSE streams begun', ndjson: 'NDJSON streams begun', refused: 'refused',
};

class Zone {
    constructor(parent, name) {
        this.name = name;
        this.looks = [];

        this.section = make(parent, 'section');
        this.head = make(this.section, 'h2');
        make(this.head, 'span', {}, 'Zone ').appendChild(document.createElement('bdi'))
            .textContent = name;
        this.store = make(this.head, 'span', { class: 'chip' });

        const plots = make(this.section, 'div', { class: 'plots' });
        const per = { unit: '/s' };

        this.plots = {
            published: new Plot(plots, 'Events published', per),
            delivered: new Plot(plots, 'Events delivered', per),
            readers: new Plot(plots, 'Subscribers connected',
                              { format: count, names: ['all', 'long polling'] }),
            reads: new Plot(plots, 'Reads answered', per),
            refused: new Plot(plots, 'Posts refused', per),
            delay: new Plot(plots, 'Delay from commit to delivery',
                            { format: time, names: ['median', '99 %'] }),
        };

        this.box = plots;
        this.facts = make(this.section, 'div', { class: 'facts' });

        this.memory = new Facts(this.facts, 'Memory of the zone');
        this.meter = make(this.memory.card, 'meter', { min: 0, max: 1, high: 0.9, optimum: 0 });
        this.memory.card.insertBefore(this.meter, this.memory.list);

        this.readers = new Facts(this.facts, 'Subscribers');
        this.posts = new Facts(this.facts, 'Posts');
        this.reads = new Facts(this.facts, 'Reads');
    }

    // what only a zone with a store has
    withStore() {
        if (this.stored) {
            return;
        }

        this.plots.commit = new Plot(this.box, 'Time of a commit to the store',
                                     { format: time, names: ['median', '99 %'] });
        this.plots.pending = new Plot(this.box, 'Events that wait for the store',
                                      { format: count });
        this.box.classList.add('stored');
        this.stored = new Facts(this.facts, 'Store');
    }

    // the oldest look of the window, and the one before
    before(now) {
        const fit = this.looks.filter(look => look.time >= now.time - WINDOW - 1);

        const last = this.looks[this.looks.length - 1];

        return [last, fit[0] ?? last];
    }

    look(now) {
        const [last, some] = this.before(now);
        const zone = now.zone;
        const at = now.time;
        const readers = zone.readers ?? {};
        const bytesOf = (which, word) => {
            const n = perSecond(now, last, zone => zone[which]?.bytes ?? 0);

            return n === null ? '' : `${bytes(n)}/s${word}`;
        };

        if (zone.store) {
            this.withStore();
        }

        const polls = readers.long_poll ?? 0;
        const streams = (readers.sse ?? 0) + (readers.ndjson ?? 0);

        this.plots.published.add(at, [perSecond(now, last, zone => zone.published?.events ?? 0)],
                                 bytesOf('published', ''));
        this.plots.delivered.add(at, [perSecond(now, last, zone => zone.delivered?.events ?? 0)],
                                 bytesOf('delivered', ''));
        this.plots.reads.add(at, [perSecond(now, last, zone => sum(zone.reads))]);
        this.plots.refused.add(at, [perSecond(now, last, zone => sum(zone.refused))]);
        this.plots.readers.add(at, [polls + streams, polls],
                               streams + polls ? `${count(streams)} streams, ${count(polls)} polls` : '');

        for (const [plot, of] of [['delay', zone => zone.delivery_delay],
                                  ['commit', zone => zone.store?.commit_seconds]]) {
            const values = [0.5, 0.99].map(q => recent(now, some, q, of));

            this.plots[plot]?.add(at, values,
                values[1] === null ? 'none in the last seconds' : `99 %: ${time(values[1])}`);
        }

        this.plots.pending?.add(at, [zone.store?.pending ?? null]);

        this.looks.push(now);
        this.looks = this.looks.filter(look => look.time > at - 60 - WINDOW);
        this.now = now;

        this.tell(zone);
    }

    show(now) {
        for (const plot of Object.values(this.plots)) {
            plot.show(now);
        }
    }

    forget() {
        this.looks = [];

        for (const plot of Object.values(this.plots)) {
            plot.points = [];
        }
    }

    // how many more of something in the last minute
    lately(of) {
        const then = this.looks.find(look => look.started === this.now.started
                                             && look.time > this.now.time - 60);

        return since(this.now, then, of) ?? 0;
    }

    tell(zone) {
        const memory = zone.zone ?? {};
        const used = memory.bytes ? memory.used / memory.bytes : 0;

        this.meter.value = used;
        this.meter.title = `${share(memory.used, memory.bytes)} used`;
        this.meter.setAttribute('aria-label', this.meter.title);

        this.memory.set('used', `${bytes(memory.used)} of ${bytes(memory.bytes)}, `
                                + share(memory.used, memory.bytes), !zone.store && used > 0.9 ? 'warn' : '');
        this.memory.set('events', count(memory.events), '', String(memory.events));
        this.memory.set('channels', count(memory.channels));
        this.memory.set('places for channels',
                        `${count(memory.places_used)} of ${count(memory.places)}`,
                        !zone.store && memory.places_used > 0.9 * memory.places ? 'warn' : '');
        this.memory.set('oldest event', memory.events ? time(memory.oldest_age) + ' old' : 'none');
        this.memory.set('newest id', memory.newest_id ? String(memory.newest_id) : 'none');
        this.memory.set('dropped before their time', count(memory.evicted),
                        !zone.store && this.lately(zone => zone.zone?.evicted ?? 0) ? 'warn' : '');

        this.memory.set('holds of the lock', count(zone.lock?.holds));
        this.memory.set('longest hold of the lock', time(zone.lock?.longest));
        this.memory.set('changes taken back', count(zone.rebuilds));

        const total = zone.readers_total ?? {};
        const kinds = { sse: 'SSE', ndjson: 'NDJSON', long_poll: 'long polling' };

        for (const [kind, name] of Object.entries(kinds)) {
            this.readers.set(name, count(zone.readers?.[kind]));
        }

        this.readers.set('of these, parked', count(zone.readers?.parked));
        this.readers.set('accepted so far', count(total.accepted));
        this.readers.set('refused', count(total.refused),
                         this.lately(zone => zone.readers_total?.refused ?? 0) ? 'warn' : '');
        this.readers.set('closed: too slow', count(total.slow),
                         this.lately(zone => zone.readers_total?.slow ?? 0) ? 'warn' : '');
        this.readers.set('ended by a reload', count(total.reload));
        this.readers.set('told of a gap', count(zone.gaps),
                         this.lately(zone => zone.gaps ?? 0) ? 'warn' : '');

        this.posts.set('events', count(zone.published?.events), '',
                       String(zone.published?.events));
        this.posts.set('data', bytes(zone.published?.bytes));
        this.posts.set('batches', count(zone.published?.batches));
        this.posts.set('sent again, stored once', count(zone.published?.replayed));
        this.posts.set('refused', count(sum(zone.refused)));

        for (const [reason, n] of Object.entries(zone.refused ?? {})) {
            const name = '\u2013 ' + (REFUSED[reason] ?? reason);

            if (n || this.posts.values.has(name)) {
                this.posts.set(name, count(n),
                               this.lately(zone => zone.refused?.[reason] ?? 0) ? 'warn' : '');
            }
        }

        for (const [kind, n] of Object.entries(zone.reads ?? {})) {
            this.reads.set(READS[kind] ?? kind, count(n));
        }

        this.reads.set('events delivered', count(zone.delivered?.events));
        this.reads.set('data delivered', bytes(zone.delivered?.bytes));

        this.tellStore(zone.store);
    }

    tellStore(store) {
        if (!store) {
            say(this.store, 'in memory', '');
            return;
        }

        const up = Boolean(store.up);
        const name = `${store.kind ?? 'store'} ${store.name ?? ''}`.trim();

        say(this.store, up ? `${name}: up` : `${name}: away`, up ? 'good' : 'bad');

        this.stored.set('state', up ? 'up' : 'away', up ? '' : 'bad');
        this.stored.set('last good look', time(store.behind) + ' ago',
                        store.behind > 10 ? 'bad' : '');
        this.stored.set('waiting for it', count(store.pending));
        this.stored.set('commits', count(store.commits ?? store.commit_seconds?.count));
        this.stored.set('events in a commit, on average',
                        mean(store.batch_events) === null ? NONE : short(mean(store.batch_events)));
        this.stored.set('time of a commit, on average', time(mean(store.commit_seconds)));
        this.stored.set('conflicts of ids', count(store.conflicts));
        this.stored.set('events of others', count(store.foreign));
        this.stored.set('reads of history', count(store.history_seconds?.count));
        this.stored.set('time of such a read, on average', time(mean(store.history_seconds)));

        if (store.disk) {
            const { bytes: taken, max, free, dropped } = store.disk;

            this.stored.set('files', `${bytes(taken)} of ${bytes(max)}, ${share(taken, max)}`);
            this.stored.set('left on its disk', bytes(free), free < 0.03 * max ? 'bad' : '');
            this.stored.set('dropped before their time', bytes(dropped),
                            this.lately(zone => zone.store?.disk?.dropped ?? 0) ? 'warn' : '');
        }
    }

    // what somebody should look at: [level, text]
    *notes() {
        const { zone, name } = { zone: this.now.zone, name: `Zone ${this.name}: ` };
        const store = zone.store;
        const few = (n, one, more) => `${count(n)} ${n === 1 ? one : more}`;

        if (store && !store.up) {
            yield ['bad', `${name}the store does not answer, since ${time(store.behind)}. `
                          + `Posts are refused. Reads from memory go on.`];

        } else if (store?.behind > 10) {
            yield ['warn', `${name}the last good look at the store is ${time(store.behind)} old.`];
        }

        const refused = this.lately(zone => (zone.refused?.full ?? 0)
                                            + (zone.refused?.store_away ?? 0)
                                            + (zone.refused?.timeout ?? 0));

        if (refused) {
            yield ['bad', `${name}${few(refused, 'post', 'posts')} refused in the last minute, `
                          + 'because the zone is full or the store did not answer.'];
        }

        const evicted = this.lately(zone => zone.zone?.evicted ?? 0);

        // old events of a zone with a store are read from there

        if (evicted && !store) {
            yield ['warn', `${name}${few(evicted, 'event', 'events')} dropped before `
                           + (evicted === 1 ? 'its' : 'their')
                           + ' time in the last minute. The zone is too small for its ttl.'];

        } else if (!store && zone.zone?.used > 0.9 * zone.zone?.bytes) {
            yield ['warn', `${name}${share(zone.zone.used, zone.zone.bytes)} of its memory is used.`];

        } else if (!store && zone.zone?.places_used > 0.9 * zone.zone?.places) {
            yield ['warn', `${name}${count(zone.zone.places_used)} of ${count(zone.zone.places)} `
                           + 'places for channels are used.'];
        }

        if (store?.disk?.free < 0.03 * store?.disk?.max) {
            yield ['bad', `${name}the disk of its store has ${bytes(store.disk.free)} left.`];
        }

        if (this.lately(zone => zone.store?.disk?.dropped ?? 0)) {
            yield ['warn', `${name}the store dropped events before their time in the last minute.`];
        }

        const slow = this.lately(zone => zone.readers_total?.slow ?? 0);

        if (slow) {
            yield ['warn', `${name}${few(slow, 'slow consumer', 'slow consumers')} closed in the last minute.`];
        }

        const gaps = this.lately(zone => zone.gaps ?? 0);

        if (gaps) {
            yield ['warn', `${name}${few(gaps, 'reader was', 'readers were')} told of a gap in the last minute.`];
        }
    }
}


// --- all of it

const [state, about, notes, main, footer] = ['#state', '.about', '.notes', 'main', 'footer']
    .map(name => document.querySelector(name));
const zones = new Map();
const workers = { rows: new Map() };

let good = null, skew = 0, first = 0;

document.querySelector('h1 span').textContent = 'on ' + location.host;
say(footer, `Asked every ${PERIOD} s. Plots show the last ${SPAN / 60} minutes, `
            + 'as long as this page is open.');

function showWorkers(list) {
    if (!workers.body) {
        workers.section = make(main, 'section');
        make(workers.section, 'h2', {}, 'Workers');

        const card = make(workers.section, 'div', { class: 'card scroll' });
        const table = make(card, 'table');
        const row = make(make(table, 'thead'), 'tr');

        for (const name of ['slot', 'pid', 'connections', 'limit', 'used']) {
            make(row, 'th', { scope: 'col' }, name);
        }

        workers.body = make(table, 'tbody');
    }

    const there = new Set(list.map(worker => String(worker.slot)));

    for (const [slot, row] of workers.rows) {
        if (!there.has(slot)) {
            row.row.remove();
            workers.rows.delete(slot);
        }
    }

    for (const { slot, pid, connections, connections_max: limit } of list) {
        let row = workers.rows.get(String(slot));

        if (!row) {
            row = { row: make(workers.body, 'tr') };
            row.cells = [0, 1, 2, 3].map(() => make(row.row, 'td'));
            row.meter = make(make(row.row, 'td'), 'meter',
                             { min: 0, max: 1, high: 0.8, optimum: 0 });
            workers.rows.set(String(slot), row);
        }

        [slot, pid, count(connections), count(limit)]
            .forEach((text, n) => say(row.cells[n], String(text)));

        row.meter.value = limit ? connections / limit : 0;
        row.meter.title = `${share(connections, limit)} of the connections used`;
        row.meter.setAttribute('aria-label', row.meter.title);
    }
}

function* allNotes(status) {
    for (const zone of zones.values()) {
        yield* zone.notes();
    }

    for (const { slot, connections, connections_max: limit } of status.workers ?? []) {
        if (limit && connections >= 0.8 * limit) {
            yield ['warn', `Worker ${slot}: ${share(connections, limit)} of worker_connections used.`];
        }
    }
}

function showNotes(list) {
    const text = JSON.stringify(list);

    if (notes.dataset.text === text) {
        return;
    }

    notes.dataset.text = text;
    notes.replaceChildren();

    for (const [level, words] of list) {
        const item = make(notes, 'li', { class: level });

        make(item, 'b', {}, { bad: 'Problem', warn: 'Warning', good: 'All well' }[level]);
        item.append(words);
    }
}

function show(status) {
    const now = status.time;
    const there = new Set(Object.keys(status.zones));

    skew = now - Date.now() / 1000;

    // the server's clock was set back: what was seen would stay the latest

    if (good && now < good.time - 1) {
        first = now;
        started = [];

        for (const zone of zones.values()) {
            zone.forget();
        }
    }

    first ||= now;

    if (good && good.started !== status.started) {
        started.push(status.started);
    }

    good = status;

    for (const [name, zone] of zones) {
        if (!there.has(name)) {
            zone.section.remove();
            zones.delete(name);
        }
    }

    for (const [name, data] of Object.entries(status.zones)) {
        if (!zones.has(name)) {
            zones.set(name, new Zone(main, name));
        }

        zones.get(name).look({ time: now, started: status.started, zone: data });
    }

    showWorkers(status.workers ?? []);

    // where it stands already, moving it would end what is selected in it

    if (main.lastElementChild !== workers.section) {
        main.append(workers.section);
    }

    say(about, `Version ${status.version ?? NONE}`
               + (status.nginx ? `, nginx ${status.nginx}` : '')
               + `, started ${time(Math.max(0, now - status.started))} ago`);

    const list = [...allNotes(status)];
    const problems = list.filter(note => note[0] === 'bad').length;

    showNotes(list.length ? list : [['good', 'Nothing needs attention.']]);
    say(state, 'live', 'good');
    document.body.classList.remove('away');
    document.title = (problems ? '(!) ' : '') + 'msgbus on ' + location.host;
}

function away(why) {
    for (const zone of zones.values()) {
        for (const plot of Object.values(zone.plots)) {
            plot.add(Date.now() / 1000 + skew, [], 'no answer');
        }
    }

    document.body.classList.add('away');
    say(state, 'no answer', 'bad');
    document.title = '(?) msgbus on ' + location.host;
    showNotes([['bad', `${why}. `
        + (good ? 'The numbers below are those of '
                  + new Date((good.time - skew) * 1000).toLocaleTimeString('en-GB') + '. '
                : '')
        + 'This page goes on trying.']]);
}

async function ask() {
    const url = new URL(location.href);

    url.searchParams.set('format', 'json');
    url.hash = '';

    let answer;

    try {
        answer = await fetch(url, { cache: 'no-store',
                                    signal: AbortSignal.timeout(Math.max(5000, 2000 * PERIOD)) });
    } catch {
        return away('The server can not be reached');
    }

    if (!answer.ok) {
        return away(`The server answers ${answer.status}`);
    }

    try {
        show(await answer.json());
    } catch (error) {
        away('The answer of the server is not understood');
        console.error(error);
    }
}

async function run() {
    for ( ;; ) {
        await ask();

        const now = Date.now() / 1000 + skew;

        // as long as there is little to show, it is shown large
        span = [60, 120, SPAN].find(time => time >= now - first) ?? SPAN;

        for (const zone of zones.values()) {
            zone.show(now);
        }

        await new Promise(done => setTimeout(done, 1000 * PERIOD));
    }
}

run();
