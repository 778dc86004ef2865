// delivery_dispatcher.js CONNECTION URL: the webhook dispatcher that people
//	write by hand, for comparison.  Takes what is in the table bench_webhooks,
//	100 at a time with SKIP LOCKED, signs and POSTs them together over kept
//	connections, marks what went well, and ends when nothing is left.  Prints
//	how many a second, and the microseconds of processor time that each took.
'use strict';
const crypto = require('node:crypto');
const http = require('node:http');
const { Client } = require('pg');

const BATCH = 100;
const [, , connection, url] = process.argv;
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const secret = crypto.randomBytes(32);

// As libpq writes it: host=... port=... user=... dbname=...
const settings = Object.fromEntries(connection.split(' ').map((s) => s.split('=')));

function post(row) {
	return new Promise((resolve) => {
		const time = Math.floor(Date.now() / 1000);
		const signature = crypto.createHmac('sha256', secret)
			.update(`${row.event}.${time}.${row.body}`).digest('base64');
		const request = http.request(url, {
			agent,
			method: 'POST',
			timeout: 20000,
			headers: {
				'content-type': 'application/json',
				'content-length': Buffer.byteLength(row.body),
				'webhook-id': row.event,
				'webhook-timestamp': time,
				'webhook-signature': `v1,${signature}`,
			},
		}, (response) => {
			response.resume();
			response.on('end', () => resolve(response.statusCode < 300));
		});

		request.on('timeout', () => request.destroy());
		request.on('error', () => resolve(false));
		request.end(row.body);
	});
}

async function turn(client) {
	await client.query('BEGIN');
	const { rows } = await client.query({
		name: 'take',
		text: `SELECT id, event, body FROM bench_webhooks WHERE sent_at IS NULL AND due_at <= now()
			ORDER BY id LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`,
	});
	const good = await Promise.all(rows.map(post));
	await client.query({
		name: 'mark',
		text: `UPDATE bench_webhooks SET attempts = attempts + 1, sent_at = CASE WHEN good THEN now() END,
			due_at = now() + interval '5 s' FROM unnest($1::bigint[], $2::bool[]) r (row_id, good) WHERE id = row_id`,
		values: [rows.map((row) => row.id), good],
	});
	await client.query('COMMIT');
	return good.filter(Boolean).length;
}

async function main() {
	const client = new Client({ host: settings.host, port: settings.port, user: settings.user, database: settings.dbname });
	let sent = 0;
	let count;

	await client.connect();
	const before = process.cpuUsage();
	const begin = process.hrtime.bigint();
	do {
		count = await turn(client);
		sent += count;
	} while (count > 0);
	const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
	const used = process.cpuUsage(before);
	console.log(`${Math.round(sent / seconds)} ${((used.user + used.system) / sent).toFixed(1)}`);
	await client.end();
	agent.destroy();
}

main();
