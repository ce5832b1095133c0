// Copyright (C) the msgbus authors

// The bus on Node.js and its MongoDB driver: server.js PORT

'use strict';

const http = require('http');
const { MongoClient, Long } = require('mongodb');

const TRIES = 10;
const CHANNEL = /^(\/[A-Za-z0-9_-]+)+$/;

const client = new MongoClient(process.env.BUS_MONGODB);
const database = client.db(process.env.BUS_DATABASE);
const events = database.collection('events');
const counters = database.collection('counters');


class Refused extends Error {

    constructor(status, message) {
        super(message);
        this.status = status;
    }
}


function channelOf(path) {
    if (path.length > 255 || !CHANNEL.test(path)) {
        throw new Refused(400, 'Invalid channel name');
    }

    return path;
}


function uuidOf(userAgent) {
    if (!userAgent) {
        throw new Refused(400, 'Missing header: User-Agent');
    }

    const found = /uuid\/([^ ]+)/.exec(userAgent);

    if (!found) {
        throw new Refused(400, 'Missing UUID in User-Agent header');
    }

    return found[1];
}


function integer(text, fallback) {
    const n = text === null ? fallback : Number(text);

    if (!Number.isSafeInteger(n)) {
        throw new Refused(400, 'Invalid number');
    }

    return n;
}


async function nextId() {
    const newest = await events.findOne({}, {
        projection: { _id: 1 }, sort: { _id: -1 } });

    if (newest) {
        return newest._id + 1;
    }

    const counter = await counters.findOne({ _id: 'last_known_id' });

    return counter ? counter.c + 1 : 1;
}


async function publish(path, userAgent, body) {
    const channel = channelOf(path);
    const uuid = uuidOf(userAgent);
    const data = body.toString();
    let value;

    try {
        value = JSON.parse(data);
    } catch (e) {
        throw new Refused(400, 'Invalid JSON');
    }

    if (value === null || typeof value !== 'object') {
        throw new Refused(400, 'Invalid JSON');
    }

    for (let tries = TRIES; ; tries--) {
        if (tries === 0) {
            throw new Refused(503, 'Others were faster');
        }

        try {
            await events.insertOne({
                _id: Long.fromNumber(await nextId()), data, channel,
                user_agent: userAgent, uuid, created_at: new Date() });
            break;

        } catch (e) {
            if (e.code !== 11000) {
                throw e;
            }
        }
    }

    await counters.updateOne({ _id: 'last_known_id' }, { $inc: { c: 1 } },
                             { upsert: true });

    return [201, ''];
}


async function read(path, query, userAgent) {
    const channel = channelOf(path);
    const args = new URLSearchParams(query);
    const after = integer(args.get('last-known-id'), 0);
    const limit = Math.max(
        Math.min(integer(args.get('max-events'), 200), 500), 1);
    const filter = { channel, _id: { $gt: Long.fromNumber(after) } };

    if (args.get('echo') !== 'true') {
        filter.uuid = { $ne: uuidOf(userAgent) };
    }

    const found = await events.find(filter, {
        sort: { _id: 1 }, limit, batchSize: limit }).toArray();

    if (found.length === 0) {
        return [204, ''];
    }

    const now = Date.now();

    return [200, `{"channel":"${channel}","events":[` + found.map((e) =>
        `{"id":${e._id},"user_agent":${JSON.stringify(e.user_agent)},` +
        `"created_at":"${e.created_at.toISOString().slice(0, 19)
            .replace('T', ' ')}Z",` +
        `"age":${Math.max(Math.floor((now - e.created_at) / 1000), 0)},` +
        `"data":${e.data}}`).join(',') + ']}'];
}


function handle(request, body) {
    const [path, query] = request.url.split('?', 2);
    const userAgent = request.headers['user-agent'];

    switch (request.method) {

    case 'GET':
        return read(path, query || '', userAgent);

    case 'POST':
        return publish(path, userAgent, body);

    default:
        throw new Refused(405, 'Method Not Allowed');
    }
}


async function serve(request, response) {
    const chunks = [];
    let status, body;

    try {
        for await (const chunk of request) {
            chunks.push(chunk);
        }

        [status, body] = await handle(request, Buffer.concat(chunks));

    } catch (e) {
        status = e instanceof Refused ? e.status : 503;
        body = `{ "message": "${e instanceof Refused ? e.message
                                                     : 'Database'}" }`;
    }

    const headers = {};

    if (body) {
        headers['Content-Type'] = 'application/json; charset=utf-8';
    }

    if (status !== 204) {
        headers['Content-Length'] = Buffer.byteLength(body);
    }

    response.writeHead(status, headers).end(body);
}


client.connect().then(() => {
    http.createServer(serve).listen(
        { port: Number(process.argv[2]), host: '127.0.0.1', backlog: 1024 });
});
