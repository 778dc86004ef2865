-- Forgetting who an order was for.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set planted :srcdir '/sql/planted.psql'
\i :common
\i :planted
CREATE FUNCTION test.person() RETURNS jsonb LANGUAGE sql AS $$
  SELECT '{"name": "Anna-Maria Müller", "email": "Anna@Example.com", "phone": "+43 (0)664 1234567", "company": "Goldschmiede", "address": {"city": "Wien"}, "note": "ring the bell"}'::jsonb
$$;
SELECT test.plant(row_number() OVER (ORDER BY s.position)::integer + 10000, s.status, s.status, customer := test.person()) FROM mesflow.order_statuses s \g /dev/null
SELECT test.plant(10101, 'nobody', 'submitted') \g /dev/null
UPDATE mesflow.customers SET tax_id = 'ATU1', locale = 'de-AT';

-- As long as the parcel needs an address, no; from shipped on, and where an order ends, yes.
SELECT s.status, string_agg(e.error, E'\n') AS answer FROM mesflow.order_statuses s, test.error(format('SELECT mesflow.erase_customer(%L, %L, %L)', test.id(s.status), 'asked for it', 'boris')) e GROUP BY s.position, 1 ORDER BY s.position;
SELECT o.external_ref, num_nulls(c.name, c.email, c.phone, c.company, c.tax_id, c.locale, c.address, c.note, c.asked_hash) AS nulls, c.erased_at <= clock_timestamp() AS erased, c.erased_by, c.erase_reason
  FROM mesflow.customers c JOIN mesflow.orders o ON o.id = c.order_id ORDER BY o.number;
-- On hold it is as far as it was before; statuses of one's own count by their place.
INSERT INTO mesflow.order_statuses (status, position, label, hold) VALUES ('claimed_lost', 200, 'Claimed lost', true);
INSERT INTO mesflow.order_statuses (status, position, label) VALUES ('engraving', 66, 'Engraving'), ('returned', 105, 'Returned');
SELECT test.plant(10201, 'lost before', 'claimed_lost', customer := test.person()), test.plant(10202, 'lost after', 'claimed_lost', customer := test.person()),
       test.plant(10203, 'engraving', 'engraving', customer := test.person()), test.plant(10204, 'returned', 'returned', customer := test.person()) \g /dev/null
SELECT test.force($$UPDATE mesflow.orders SET event_seq = 2, held_from = CASE external_ref WHEN 'lost before' THEN 'approved' ELSE 'shipped' END WHERE status = 'claimed_lost'$$);
SELECT r AS ref, e.error FROM unnest('{lost before,lost after,engraving,returned}'::text[]) r, test.error(format('SELECT mesflow.erase_customer(%L, %L)', test.id(r), 'asked for it')) e WHERE e.error NOT LIKE ' %';
-- Again is harmless, and so is an order that came without a customer.
SELECT mesflow.erase_customer(test.id('closed'), 'once more', 'eve'), mesflow.erase_customer(test.id('nobody'), 'no customer');
SELECT c.erased_by, c.erase_reason FROM mesflow.customers c WHERE c.order_id = test.id('closed');
SELECT c.erased_by = session_user AS by_session FROM mesflow.customers c WHERE c.order_id = test.id('returned');

-- What is kept must not tell who it was, and no message does.
SELECT test.plant(10301, 'secret', 'closed', customer := test.person()) AS secret \gset
SELECT t.reason, string_agg(e.error, E'\n') AS answer
  FROM (VALUES ('anna@example.com asked'), ('ANNA@EXAMPLE.COM'), ('Anna-Maria  MÜLLER asked'), ('Frau Müller, asked'), ('(müller)'), ('call 0664 1234567'), ('4366412345 67'), ('called from 1234567')) AS t (reason),
       test.error(format('SELECT mesflow.erase_customer(%L, %L)', :'secret', t.reason)) e GROUP BY 1 ORDER BY 1;
SELECT * FROM test.error(format('SELECT mesflow.erase_customer(%L, %L, %L)', :'secret', 'asked for it', 'Anna@example.com'));
SELECT proconfig @> '{log_min_error_statement=panic}' AS the_statement_is_not_logged FROM pg_proc WHERE oid = 'mesflow.erase_customer'::regproc;
SELECT count(*) AS still_there FROM mesflow.customers WHERE order_id = :'secret' AND erased_at IS NULL;
SELECT * FROM test.error(format('SELECT mesflow.erase_customer(%L, %L)', :'secret', 'ticket 4711: Art. 17, asked by annabel müllerova on 2026-11-30'));
-- A customer without a name, or with an odd one, can be erased too.
SELECT test.plant(10302, 'bare', 'closed', customer := '{"phone": "12"}'), test.plant(10303, 'odd', 'closed', customer := '{"name": " . ", "email": " ", "phone": "-"}') \g /dev/null
SELECT mesflow.erase_customer(test.id('bare'), 'asked for it 12'), mesflow.erase_customer(test.id('odd'), 'asked for it.');
SELECT count(*) FILTER (WHERE erased_at IS NOT NULL) AS erased FROM mesflow.customers WHERE order_id IN (test.id('bare'), test.id('odd'));

SELECT r AS reason, e.error FROM unnest('{NULL,"''''","''  ''"}'::text[]) r, test.error(format('SELECT mesflow.erase_customer(%L, %s)', :'secret', coalesce(r, 'NULL'))) e;
SELECT * FROM test.error($$SELECT mesflow.erase_customer('00000000-0000-7000-8000-000000000000', 'asked for it')$$);
SELECT * FROM test.error($$SELECT mesflow.erase_customer(NULL, 'asked for it')$$) LIMIT 2;
