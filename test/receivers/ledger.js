// The ledger of a receiver: one JSON object a line, on disk before anybody
// hears of it.  What comes together is written and flushed together.
'use strict';
const fs = require('node:fs');

class Ledger {
	constructor(file) {
		this.fd = fs.openSync(file, 'a');
		this.lines = [];
		this.waiting = [];
		this.writing = false;
	}

	// Resolves once the line is on disk.
	add(entry) {
		this.lines.push(JSON.stringify(entry) + '\n');
		return new Promise((done) => {
			this.waiting.push(done);
			this.write();
		});
	}

	write() {
		if (this.writing || this.waiting.length === 0) {
			return;
		}
		const lines = this.lines.join('');
		const waiting = this.waiting;
		this.lines = [];
		this.waiting = [];
		this.writing = true;
		fs.writeSync(this.fd, lines);
		fs.fsync(this.fd, (error) => {
			if (error) {
				throw error;
			}
			this.writing = false;
			waiting.forEach((done) => done());
			this.write();
		});
	}
}

module.exports = { Ledger };
