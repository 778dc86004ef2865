// receiver.js FOLDER: what the endpoints of the tests point at.
//
// Every request is read, judged by verify.js, written to FOLDER/ledger, which
// is flushed, and only then answered.  FOLDER/ports says where it listens:
// {"port": N, "silent": N}; the silent port accepts and never reads.  It ends
// with its standard input.
//
// FOLDER/config.json is read again whenever it has been replaced:
//
//	tls		{key, cert, ca, ...} as tls.createServer() takes them; with ca a
//			client must show a certificate
//	host, port	where to listen: 127.0.0.1, and 0 for any port
//	paths		{"/path": SETTINGS}, "*" for all others
//
// SETTINGS of a path:
//
//	secrets		["whsec_..."], with which its requests may be signed
//	keep		["headers", "body", "event"]: what else goes into the ledger
//	mode		what is done with a request that was written down:
//		answer		`status` (200), `headers`, `body`; a header @N is the
//				HTTP date in N seconds
//		hang		nothing, for ever
//		drip, drip-head	a byte a second: of the body, of the header
//		huge		200, and `bytes` of body, as fast as they are taken
//		reset		the connection is reset
//		reset-on-reuse	the same, unless it is the connection's first request
//		short, long	the body is shorter, longer than content-length
//		garbage		what is no HTTP
//		kill		`signal` (SIGKILL) for each sender of the server whose
//				postmaster is the process `server`; with `after`, a path, when
//				the same request has been answered there (20 s at most), so
//				that it is not under way in another of them
//	failures	so many requests with the same webhook-id have `failure`
//			instead, SETTINGS again
//	rules		[{match: REGEXP, ...SETTINGS}]: instead, where the body matches
'use strict';
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Ledger } = require('./ledger.js');
const verify = require('./verify.js');

const folder = process.argv[2];
const ledger = new Ledger(path.join(folder, 'ledger'));
let arrivals = 0;
let connections = 0;

// ---- configuration ----------------------------------------------------------

let config;
let version;

function configuration() {
	const file = path.join(folder, 'config.json');
	const { ino, mtimeNs } = fs.statSync(file, { bigint: true });

	if (version !== `${ino} ${mtimeNs}`) {
		config = JSON.parse(fs.readFileSync(file));
		version = `${ino} ${mtimeNs}`;
	}
	return config;
}

const failed = new Map();
const answered = new Set();

// What applies to this request.
function settings(where, id, body) {
	const { paths } = configuration();
	let found = paths[where] || paths['*'] || {};
	const rule = (found.rules || []).find(({ match }) => new RegExp(match).test(body));

	if (rule) {
		found = { ...found, ...rule };
	}
	if (found.failures) {
		const before = failed.get(`${where} ${id}`) || 0;
		failed.set(`${where} ${id}`, before + 1);
		if (before < found.failures) {
			found = { ...found, status: 500, ...found.failure };
		}
	}
	return found;
}

// ---- answers ----------------------------------------------------------------

function answer(response, { status = 200, headers = {}, body = '' }) {
	for (const [name, value] of Object.entries(headers)) {
		const date = /^@(-?\d+)$/.exec(value);
		response.setHeader(name, date ? new Date(Date.now() + 1000 * date[1]).toUTCString() : value);
	}
	response.writeHead(status).end(body);
}

// A byte a second for as long as somebody is there.
function drip(socket, write) {
	const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : write()), 1000);
}

// So much of a body, no faster than it is taken; then how much that was.
function pour(response, bytes, where) {
	const { socket } = response;
	const chunk = Buffer.alloc(65536, 'x');
	let left = bytes;

	const more = () => {
		while (left > 0 && !response.destroyed) {
			left -= chunk.length;
			if (!response.write(chunk)) {
				return;
			}
		}
		response.end();
	};
	response.on('drain', more);
	response.on('close', () => ledger.add({ path: where, poured: socket.bytesWritten }));
	response.writeHead(200, { 'content-length': bytes });
	more();
}

// [name, parent] of a process; nothing where it is gone.
function look(pid) {
	try {
		const [, name, parent] = /\((.*)\) \S (\d+)/.exec(fs.readFileSync(`/proc/${pid}/stat`));
		return [name, Number(parent)];
	} catch {
		return [];
	}
}

// The senders of a server: children of a worker of it.  Which of them holds a
// connection, nobody may look up: they do not let their descriptors be seen.
function senders(server) {
	return fs.readdirSync('/proc').filter((entry) => {
		const [name, worker] = look(entry);
		return name === 'mesflow-sender' && look(worker)[1] === server;
	});
}

const modes = {
	answer,
	hang() {},
	drip(response) {
		response.writeHead(200);
		response.flushHeaders();
		drip(response.socket, () => response.write('x'));
	},
	'drip-head'({ socket }) {
		socket.write('HTTP/1.1 200 OK\r\nx-header: ');
		drip(socket, () => socket.write('x'));
	},
	huge(response, { bytes }, where) {
		pour(response, bytes, where);
	},
	reset({ socket }) {
		socket.resetAndDestroy();
	},
	'reset-on-reuse'(response, found) {
		if (response.socket.requests === 1) {
			answer(response, found);
		} else {
			response.socket.resetAndDestroy();
		}
	},
	short({ socket }) {
		socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort');
	},
	long({ socket }) {
		socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n' + 'long '.repeat(100));
	},
	garbage({ socket }) {
		socket.end('220 this is another protocol\r\n');
	},
	async kill({ socket }, { server, signal = 'SIGKILL', after }, where, id) {
		for (let i = 0; after && !answered.has(`${after} ${id}`) && i < 200; i++) {
			await sleep(100);
		}
		if (after) {
			await sleep(300);
		}
		for (const pid of senders(server)) {
			try {
				process.kill(Number(pid), signal);
			} catch (error) {
				// It was faster.
				assert.equal(error.code, 'ESRCH');
			}
		}
		socket.destroy();
	},
};

// ---- requests ---------------------------------------------------------------

function take(request, response) {
	const { socket, headers } = request;
	const chunks = [];

	socket.requests = (socket.requests || 0) + 1;
	request.on('data', (chunk) => chunks.push(chunk));
	request.on('end', async () => {
		const body = Buffer.concat(chunks);
		const text = body.toString();
		const id = headers['webhook-id'];
		const found = settings(request.url, id, text);
		const { keep = [], mode = 'answer' } = found;
		const event = verify.cloudevent(headers, text);
		const entry = {
			n: ++arrivals,
			at: Date.now(),
			path: request.url,
			method: request.method,
			id,
			key: headers['mesflow-key'],
			seq: headers['mesflow-seq'],
			type: (/^\{"type":"([^"]*)"/.exec(text) || [])[1] || (event && event.type),
			verdict: verify.signatures(headers, text, found.secrets || []),
			connection: socket.number,
			request: socket.requests,
			mode,
			status: mode === 'answer' ? found.status || 200 : undefined,
			bytes: body.length,
			sha256: crypto.createHash('sha256').update(body).digest('hex'),
		};
		if (event) {
			entry.cloudevent = keep.includes('event') || event.refused ? event : { id: event.id, mode: event.mode };
		}
		if (keep.includes('headers')) {
			entry.headers = headers;
		}
		if (keep.includes('body')) {
			entry.body = text;
		}
		if (socket.getPeerCertificate) {
			entry.client = socket.getPeerCertificate().subject;
		}
		await ledger.add(entry);
		if (mode === 'answer') {
			answered.add(`${request.url} ${id}`);
		}
		modes[mode](response, found, request.url, id);
	});
}

// ---- the whole --------------------------------------------------------------

const listen = (server, port, host) =>
	new Promise((done) => server.listen(port, host, () => done(server.address().port)));

async function main() {
	await verify.load();

	const { tls, port = 0, host = '127.0.0.1' } = configuration();
	const server = tls
		? https.createServer({ ...tls, requestCert: Boolean(tls.ca), rejectUnauthorized: Boolean(tls.ca) }, take)
		: http.createServer(take);
	server.requestTimeout = 0;
	server.headersTimeout = 0;
	server.keepAliveTimeout = 600000;
	server.on(tls ? 'secureConnection' : 'connection', (socket) => {
		socket.number = ++connections;
		socket.on('error', () => {});
		ledger.add({ connected: socket.number, to: socket.localAddress });
	});
	server.on('clientError', (error, socket) => socket.destroy());
	server.on('tlsClientError', (error) => ledger.add({ tls: error.code || error.message }));

	const silent = net.createServer({ pauseOnConnect: true }, (socket) => {
		socket.on('error', () => {});
		ledger.add({ silent: ++connections });
	});
	const ports = { port: await listen(server, port, host), silent: await listen(silent, 0, host) };

	fs.writeFileSync(path.join(folder, 'ports.new'), JSON.stringify(ports));
	fs.renameSync(path.join(folder, 'ports.new'), path.join(folder, 'ports'));
	process.stdin.resume().on('end', () => process.exit(0));
}

main();
