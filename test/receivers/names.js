// names.js FOLDER: a name server that changes its mind.
//
// FOLDER/config.json: {"port": N, "names": {"a.test": [["1.2.3.4"], ["10.0.0.1"]]}}:
// the answers to one question after another, the last for ever; addresses with
// a colon are AAAA; null: no answer.  Nothing may be kept: TTL 0.  Each question is a line of
// FOLDER/ledger.  It ends with its standard input.
'use strict';
const dgram = require('node:dgram');
const fs = require('node:fs');
const path = require('node:path');
const { Ledger } = require('./ledger.js');

const folder = process.argv[2];
const { port, names } = JSON.parse(fs.readFileSync(path.join(folder, 'config.json')));
const ledger = new Ledger(path.join(folder, 'ledger'));
const asked = new Map();
const A = 1;
const AAAA = 28;

// The question of a message: its name, type, and where it ends.
function question(message) {
	const labels = [];
	let at = 12;

	while (message[at] !== 0) {
		labels.push(message.toString('latin1', at + 1, at + 1 + message[at]));
		at += 1 + message[at];
	}
	return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

function ipv4(text) {
	return Buffer.from(text.split('.').map(Number));
}

// All eight groups are written out, but for one "::".
function ipv6(text) {
	const [head, tail = ''] = text.split('::').map((part) => part.split(':').filter((group) => group !== ''));
	const middle = Array(8 - head.length - tail.length).fill('0');
	const bytes = Buffer.alloc(16);

	[...head, ...middle, ...tail].forEach((group, number) => bytes.writeUInt16BE(parseInt(group, 16), 2 * number));
	return bytes;
}

function reply(message) {
	const { name, type, end } = question(message);
	const answers = names[name];
	const times = asked.get(`${name} ${type}`) || 0;
	const addresses = answers
		? answers[Math.min(times, answers.length - 1)].filter((address) => address.includes(':') === (type === AAAA))
		: [];
	const header = Buffer.from(message.subarray(0, 12));

	asked.set(`${name} ${type}`, times + 1);
	ledger.add({ name, type, addresses });
	if (answers === null) {
		return undefined;
	}
	header.writeUInt16BE(answers ? 0x8580 : 0x8583, 2);
	header.writeUInt16BE(type === A || type === AAAA ? addresses.length : 0, 6);
	header.writeUInt32BE(0, 8);
	const records = addresses.map((address) => {
		const data = type === AAAA ? ipv6(address) : ipv4(address);
		const start = Buffer.alloc(12);

		start.writeUInt16BE(0xc00c, 0);
		start.writeUInt16BE(type, 2);
		start.writeUInt16BE(1, 4);
		start.writeUInt16BE(data.length, 10);
		return Buffer.concat([start, data]);
	});
	return Buffer.concat([header, message.subarray(12, end), ...records]);
}

const server = dgram.createSocket('udp4');
server.on('message', (message, from) => {
	const answer = reply(message);

	if (answer) {
		server.send(answer, from.port, from.address);
	}
});
server.bind(port, '127.0.0.1', () => {
	fs.writeFileSync(path.join(folder, 'ports'), JSON.stringify({ port }));
	process.stdin.resume().on('end', () => process.exit(0));
});
