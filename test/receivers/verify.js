// What independent libraries say about a request: two makers' verifiers of
// Standard Webhooks, the specification by itself, and the CloudEvents SDK.
'use strict';
const crypto = require('node:crypto');

// One maker's library calls the other's; this calls neither.
class BySpecification {
	constructor(secret) {
		this.key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
	}

	verify(body, headers) {
		const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
		const wanted = 'v1,' + crypto.createHmac('sha256', this.key).update(signed).digest('base64');
		if (!(headers['webhook-signature'] || '').split(' ').includes(wanted)) {
			throw new Error('no signature is the one of the specification');
		}
	}
}

const verifiers = { specification: BySpecification };
let cloudevents;

// Some are modules of one kind, some of the other: import takes both.
async function load() {
	verifiers.standardwebhooks = (await import('standardwebhooks')).Webhook;
	verifiers.svix = (await import('svix')).Webhook;
	cloudevents = (await import('cloudevents')).HTTP;
}

// By verifier: the numbers of the secrets with which it accepts the request.
// refusal: what the first one that accepted it with none has said.
function signatures(headers, body, secrets) {
	const verdict = {};

	for (const [name, Webhook] of Object.entries(verifiers)) {
		let refusal;
		verdict[name] = [];
		secrets.forEach((secret, number) => {
			try {
				new Webhook(secret).verify(body, headers);
				verdict[name].push(number);
			} catch (error) {
				refusal = `${name}: ${error.message}`;
			}
		});
		if (verdict[name].length === 0 && !verdict.refusal) {
			verdict.refusal = refusal || 'no secret is known';
		}
	}
	return verdict;
}

// The event of a request that says it is a CloudEvent; undefined where it
// says nothing of the kind.  The SDK makes up a version, an id and a time
// where they are not there or make no sense: so these are compared.
function cloudevent(headers, body) {
	const structured = (headers['content-type'] || '').startsWith('application/cloudevents');
	const mode = structured ? 'structured' : 'binary';

	if (!structured && headers['ce-id'] === undefined) {
		return undefined;
	}
	try {
		const event = cloudevents.toEvent({ headers, body });
		const said = structured ? JSON.parse(body) : { specversion: headers['ce-specversion'], id: headers['ce-id'], time: headers['ce-time'] };

		if (!event.validate() || said.specversion !== '1.0' || said.id !== event.id ||
			new Date(said.time).getTime() !== new Date(event.time).getTime()) {
			throw new Error('it is no CloudEvent 1.0 with an id and a time');
		}
		return { mode, ...event.toJSON() };
	} catch (error) {
		return { mode, refused: error.message };
	}
}

module.exports = { load, signatures, cloudevent };
