-- What a person decides: prices by hand, rejections, and how either is told and computed again.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.register('node') \g /dev/null
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT mesflow.upload_model('step', 'part.step') AS step \gset
CREATE TABLE test.quotes (what text PRIMARY KEY, at serial, quote uuid);
CREATE FUNCTION test.quote(what text) RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT q.quote FROM test.quotes q WHERE q.what = $1 $$;
CREATE VIEW test.told AS
  SELECT t.what, q.state, q.unit_price, q.net, q.tax, q.total, q.currency, q.by_hand, q.note, q.decided_by, q.decided_at IS NOT NULL AS decided, q.error_code, q.error
    FROM test.quotes t JOIN mesflow.quotes q ON q.id = t.quote ORDER BY t.at;
-- A decision, and what it says.
CREATE FUNCTION test.decide(what text, verb text, arguments text) RETURNS TABLE (answer text) LANGUAGE sql AS $$
  SELECT * FROM test.error(format('SELECT mesflow.%s(%L, %s)', $2, test.quote($1), $3))
$$;
UPDATE mesflow.processes SET review_above = 20 WHERE code = 'sla';
INSERT INTO test.quotes (what, quote) VALUES
  ('priced', mesflow.request_quote(:'ring', 'pla', 'fdm')), ('cancelled', mesflow.request_quote(:'ring', 'pla', 'fdm')), ('expired', mesflow.request_quote(:'ring', 'resin', 'sla', 9)),
  ('failed', mesflow.request_quote(:'ring', 'pla', 'sla', 3)), ('over the limit', mesflow.request_quote(:'ring', 'resin', 'sla', 10)), ('to reject', mesflow.request_quote(:'ring', 'resin', 'sla', 11)),
  ('unsupported', mesflow.request_quote(:'step', 'pla', 'fdm', 7)), ('unsupported too', mesflow.request_quote(:'step', 'brass', 'casting')), ('pending', mesflow.request_quote(mesflow.upload_model('later', 'later.stl'), 'pla', 'fdm'));
SELECT test.claim_all('node') > 0 AS claimed, test.fail('node', 'part.step', 'unsupported', 'STEP files are not read.');
SELECT mesflow.cancel_quote(test.quote('cancelled'));
UPDATE mesflow._quotes SET expires_at = clock_timestamp() - interval '1 s' WHERE id = test.quote('expired');
SELECT what, state, total, error_code FROM test.told;
CREATE TABLE test.before AS SELECT q.* FROM mesflow._quotes q;

-- Whatever is not in review, or failed, is not priced; whatever is not in review is not rejected.
SELECT w AS what, a.answer FROM unnest('{priced,cancelled,expired,pending}'::text[]) w, test.decide(w, 'price_quote', $$10, 'by eye'$$) a;
SELECT w AS what, a.answer FROM unnest('{priced,cancelled,expired,failed,pending}'::text[]) w, test.decide(w, 'reject_quote', $$'too thin'$$) a;
-- Prices that cannot be, decisions without words.
SELECT p AS price, a.answer FROM unnest(ARRAY['NULL', '-0.01', '''NaN''', '''Infinity''', '1e12', '10.005', '0.001']) p, test.decide('over the limit', 'price_quote', p || $$, 'by eye'$$) a;
SELECT n AS note, v AS verb, a.answer FROM unnest('{"NULL",'''',''  ''}'::text[]) n, unnest('{price_quote,reject_quote}'::text[]) v,
       test.decide('over the limit', v, CASE v WHEN 'price_quote' THEN '10, ' ELSE '' END || n) a WHERE a.answer NOT LIKE '  detail%';
SELECT * FROM test.error($$SELECT mesflow.price_quote(NULL, 10, 'by eye')$$);
SELECT * FROM test.error($$SELECT mesflow.price_quote('00000000-0000-7000-8000-000000000000', 10, 'by eye')$$) WHERE error NOT LIKE '  hint%';
SELECT * FROM test.error($$SELECT mesflow.reject_quote('00000000-0000-7000-8000-000000000000', 'x')$$) WHERE error NOT LIKE '  hint%';
SELECT count(*) AS touched FROM (SELECT * FROM mesflow._quotes EXCEPT SELECT * FROM test.before) q;

-- Priced: a line with the note, the tax, no discount; who did it. Of a model that no engine reads, too, and of one that had failed.
UPDATE mesflow.partners SET discount_percent = 50 WHERE code = 'shop';
SELECT mesflow.price_quote(test.quote('over the limit'), 12.5, 'Two supports less: measured by hand ✍', 'anna'), mesflow.price_quote(test.quote('unsupported'), 0.99, 'By the drawing'),
       mesflow.price_quote(test.quote('failed'), 0, 'A gift', 'Борис');
SELECT what, state, unit_price, net, tax, total, currency, by_hand, note, CASE decided_by WHEN session_user THEN 'session user' ELSE decided_by END AS by, error_code, error FROM test.told WHERE by_hand;
SELECT t.what, q.breakdown FROM test.quotes t JOIN mesflow.quotes q ON q.id = t.quote WHERE q.by_hand ORDER BY t.at;
SELECT t.what, q.price_list, q.expires_at - q.priced_at BETWEEN interval '30 days' - interval '1 min' AND '30 days' AS valid, q.priced_at <= clock_timestamp() AND q.priced_at >= q.created_at AS priced, q.lead_days
  FROM test.quotes t JOIN mesflow.quotes q ON q.id = t.quote WHERE q.by_hand ORDER BY t.at;
UPDATE mesflow.partners SET discount_percent = 0 WHERE code = 'shop';
-- The same again is harmless, and stays what it was; another price is refused.
CREATE TABLE test.once AS SELECT q.* FROM mesflow._quotes q;
SELECT mesflow.price_quote(test.quote('over the limit'), 12.50, 'again', 'eve'), mesflow.price_quote(test.quote('failed'), 0.00, 'again');
SELECT count(*) AS touched FROM (SELECT * FROM mesflow._quotes EXCEPT SELECT * FROM test.once) q;
SELECT * FROM test.decide('over the limit', 'price_quote', $$12.51, 'dearer'$$);
SELECT * FROM test.decide('over the limit', 'reject_quote', $$'after all'$$);
-- Withdrawn and expired as any other.
SELECT mesflow.cancel_quote(test.quote('failed')) AS withdrawn;
SELECT answer FROM test.decide('failed', 'price_quote', $$0, 'A gift'$$) LIMIT 1;
UPDATE mesflow._quotes SET expires_at = clock_timestamp() - interval '1 s' WHERE id = test.quote('unsupported');
SELECT state FROM test.told WHERE what = 'unsupported';
SELECT answer FROM test.decide('unsupported', 'price_quote', $$0.99, 'By the drawing'$$) LIMIT 1;
UPDATE mesflow._quotes SET expires_at = clock_timestamp() + interval '1 day' WHERE id = test.quote('unsupported');

-- Rejected: failed, with the reason for the customer; why it was in review is still there. Again is harmless.
SELECT mesflow.reject_quote(test.quote('to reject'), 'Zu dünn für Harz ❌', 'anna'), mesflow.reject_quote(test.quote('unsupported too'), 'Send an STL file.');
SELECT mesflow.reject_quote(test.quote('to reject'), 'another reason', 'eve');
SELECT what, state, total, by_hand, note, CASE decided_by WHEN session_user THEN 'session user' ELSE decided_by END AS by, decided, error_code, error FROM test.told WHERE what IN ('to reject', 'unsupported too');
SELECT mesflow.cancel_quote(test.quote('to reject')) AS nothing_to_withdraw;
-- Thought better of: what was rejected can still be priced.
SELECT mesflow.price_quote(test.quote('to reject'), 99, 'With a thicker wall', 'boris');
SELECT what, state, total, note, decided_by, error_code, error FROM test.told WHERE what = 'to reject';

-- Computed again: the price by hand from its note, by the list of then, whatever has changed since.
SELECT mesflow.revise_price_list('[{"name": "setup", "value": 99}]', 'dearer') AS list;
UPDATE mesflow.partners SET discount_percent = 50 WHERE code = 'shop';
SELECT t.what, r.unit_price, r.total, r.same FROM test.quotes t JOIN mesflow.quotes q ON q.id = t.quote CROSS JOIN LATERAL mesflow.recompute_quote(q.id) r WHERE q.by_hand ORDER BY t.at;
SELECT same AS of_the_priced FROM mesflow.recompute_quote(test.quote('priced'));
SELECT * FROM test.error(format('SELECT mesflow.recompute_quote(%L)', test.quote('unsupported too')));
-- Of a quote that somebody forged, it says so.
UPDATE mesflow._quotes SET total = total - 1, net = net - 1 WHERE id = test.quote('over the limit');
SELECT same FROM mesflow.recompute_quote(test.quote('over the limit'));
-- Nothing that a person has priced is priced again.
SELECT count(*) FILTER (WHERE quote IN (SELECT id FROM mesflow.quotes WHERE by_hand)) AS by_hand, count(*) > 0 AS others FROM mesflow.reprice_quotes();

-- The decimals are those of the list's currency; it may include the tax.
SELECT v.code, test.draft(v.code) FROM (VALUES ('yen'), ('dinar')) v (code) \g /dev/null
UPDATE mesflow.price_lists SET currency = 'JPY', rounding = 10, tax_rate = 0.1, tax_included = true, quote_validity = '1 hour' WHERE code = 'yen';
UPDATE mesflow.price_lists SET currency = 'KWD', rounding = 0.005 WHERE code = 'dinar';
UPDATE mesflow.partners SET price_list = 'yen' WHERE code = 'acme';
SELECT test.activate('yen'), test.activate('dinar');
SELECT mesflow.upload_model('step', 'part.step', NULL, 'acme') AS theirs, mesflow.create_partner('kuwait', 'Kuwait', options => '{"currency": "KWD"}') AS partner \gset
SELECT mesflow.upload_model('step', 'part.step', NULL, :'partner') AS another \gset
INSERT INTO test.quotes (what, quote) VALUES ('yen', mesflow.request_quote(:'theirs', 'pla', 'fdm', 3, partner => 'acme')), ('dinar', mesflow.request_quote(:'another', 'pla', 'fdm', 3, partner => 'kuwait'));
SELECT what, state, total, error_code FROM test.told WHERE what IN ('yen', 'dinar');
SELECT w AS what, p AS price, a.answer FROM (VALUES ('yen', '100.5'), ('dinar', '1.0005')) v (w, p), test.decide(w, 'price_quote', p || $$, 'x'$$) a;
SELECT mesflow.price_quote(test.quote('yen'), 1001, 'not a multiple of ten'), mesflow.price_quote(test.quote('dinar'), 1.001, 'to the fils');
SELECT what, state, unit_price, net, tax, total, currency FROM test.told WHERE what IN ('yen', 'dinar');
SELECT t.what, r.same, q.expires_at - q.priced_at > '59 min' AND (q.expires_at - q.priced_at <= '1 hour') = (t.what = 'yen') AS validity FROM test.quotes t JOIN mesflow.quotes q ON q.id = t.quote CROSS JOIN LATERAL mesflow.recompute_quote(q.id) r
 WHERE t.what IN ('yen', 'dinar') ORDER BY t.at;
-- Where there is no list, a price has no currency.
UPDATE mesflow.partners SET currency = 'JPY' WHERE code = 'kuwait';
INSERT INTO test.quotes (what, quote) VALUES ('no list', mesflow.request_quote(:'another', 'pla', 'fdm', 3, partner => 'kuwait'));
UPDATE mesflow._quotes SET price_list = NULL WHERE id = test.quote('no list');
SELECT * FROM test.decide('no list', 'price_quote', $$1, 'x'$$);
SELECT count(*) AS problems FROM mesflow.verify_jobs();

-- What a person has decided is not opened again by a job.
SELECT mesflow.upload_model('decided', 'decided.step') AS decided \gset
SELECT mesflow.request_quote(:'decided', 'pla', 'fdm') AS quote \gset
SELECT test.register('decider');
SELECT test.claim('decider');
SELECT test.fail('decider', 'decided.step', 'unsupported', 'STEP files are not read.');
SELECT id AS job FROM mesflow.price_jobs WHERE quote = :'quote' \gset
SELECT mesflow.reject_quote(:'quote', 'we cannot', 'bob');
SELECT * FROM test.error(format('SELECT mesflow.retry_job(%s)', :job));
SELECT state, error, decided_by FROM mesflow.quotes WHERE id = :'quote';
SELECT count(*) AS problems FROM mesflow.verify_jobs();
