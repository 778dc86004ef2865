-- Finding orders by what somebody has of them, and check digits.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set planted :srcdir '/sql/planted.psql'
\i :common
\i :planted

-- Folding: case, ё, composed letters, white space of all kinds; 500 characters at most.
SELECT mesflow._fold(t) AS folded FROM (VALUES (E'  Anna \t\n MÜLLER\u00a0\u3000x  '), ('ЁЖ и ёлка'), (E'\u0415\u0308\u0436'), (E'ÉCOLE E\u0301cole'), ('ΣΊΣΥΦΟΣ'), ('ＡＢＣ１２３'), ('№ 5 ﬁn'), ('İ'), (''), ('   '), (NULL)) AS v (t);
SELECT length(mesflow._fold(repeat('Ё', 600))), octet_length(mesflow._fold(repeat('Ё', 600))), length(mesflow._fold(repeat('a ', 600))), mesflow._fold(repeat('a ', 600)) LIKE '% ' AS trailing;
SELECT mesflow._last_word(t) FROM (VALUES ('Anna Maria  Müller '), ('Cher'), (''), (NULL)) AS v (t);
SELECT p, mesflow._phone_key(p) FROM (VALUES ('+43 664 123456'), ('0664/123456'), ('0043-664-123456'), ('+43 (0)664 123456'), ('none'), ('000'), (''), (NULL), (repeat('12', 60))) AS v (p);

-- Damm's check digit: his own example; it finds every wrong digit and every exchange of neighbours.
SELECT t, mesflow._damm(t) FROM (VALUES ('572'), ('5724'), ('10001'), ('0'), (''), ('12a'), (' 1'), ('١'), (NULL)) AS v (t);
WITH numbers AS (
  SELECT n, n || mesflow._damm(n::text) AS number FROM generate_series(1000, 1999) n
), wrong AS (
  SELECT number, overlay(number placing d::text from at for 1) AS other FROM numbers, generate_series(1, 5) at, generate_series(0, 9) d WHERE substr(number, at, 1) <> d::text
  UNION ALL
  SELECT number, overlay(number placing reverse(substr(number, at, 2)) from at for 2) FROM numbers, generate_series(1, 4) at WHERE substr(number, at, 1) <> substr(number, at + 1, 1)
)
SELECT count(*) > 48000 AS many, count(*) FILTER (WHERE mesflow._damm(other) = '0') AS unseen, (SELECT count(*) FROM numbers WHERE mesflow._damm(number) <> '0') AS wrongly_seen FROM wrong;

SELECT test.plant(10001, 'SHOP-0001', customer := '{"name": "Anna Maria Müller", "email": "Anna.Mueller@Example.com", "phone": "+43 (0)664 123456"}', tracking := 'JJD 0001') \g /dev/null
SELECT test.plant(10002, 'shop-0001', partner := 'shop', created := '2026-11-20 10:01Z', customer := '{"name": "Фёдор  Алёшин", "email": "fedor@example.com", "phone": "0664 123456"}') \g /dev/null
SELECT test.plant(10003, 'Ёлка-1', created := '2026-11-20 10:02Z', customer := '{"name": "Müller Anna", "email": "anna.mueller@example.com.au", "phone": "01 5550100"}', tracking := 'jjd 0002') \g /dev/null
SELECT test.plant(10004, 'Anna', created := '2026-11-20 10:03Z', customer := '{"name": "Ann Müllerová", "email": "ann@example.org"}') \g /dev/null
SELECT test.plant(10005, '100015', created := '2026-11-20 10:04Z', customer := '{"name": "O''Neil 100% _x_", "phone": "no phone"}') \g /dev/null
SELECT test.plant(10006, 'deadbeef', created := '2026-11-21 10:00Z') \g /dev/null
SELECT test.plant(10007, 'twin', created := '2026-11-21 10:00Z', customer := '{"name": "Ольга Эрасед", "email": "olga@example.com", "phone": "+7 900 7654321"}') \g /dev/null
SELECT test.force($$UPDATE mesflow.orders SET correlation_id = test.id('SHOP-0001') WHERE external_ref = 'twin'$$);
INSERT INTO mesflow._receipts (order_id, system, received_at, via, external_id) VALUES
  (test.id('SHOP-0001'), 'crm', now(), 'delivery', 'CRM-77'), (test.id('shop-0001'), 'mes', now(), 'delivery', 'crm-77'), (test.id('Anna'), 'crm', NULL, NULL, NULL);
CREATE FUNCTION test.find(query text, limit_to integer DEFAULT 20) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(f.external_ref, ' | ' ORDER BY f.n) FROM (SELECT o.external_ref, row_number() OVER () AS n FROM mesflow.find_orders($1, $2) o) f
$$;
-- Numbers, as people say and write them; an exact one comes before a reference that reads the same.
SELECT q AS query, test.find(q) FROM unnest('{100014,#100014,No. 100014,№100014,1000-14, 10 00 14 ,100023,100015}'::text[]) q;
SELECT number FROM mesflow.orders ORDER BY 1;
-- A wrong check digit is named and finds nobody; a number that could be, but is not, is just not there.
SELECT test.find('100011');
SELECT test.find('100041');
SELECT '9999' || mesflow._damm('9999') AS number \gset
SELECT test.find(:'number');
SELECT test.find('12345');
-- References, ids and their starts, correlation ids, tracking numbers, the systems' ids.
SELECT q AS query, test.find(q) FROM unnest('{SHOP-0001,ёлка-1,ЕЛКА-1,shop-000,DEADBEEF,jjd 0001,JJD  0002,jjd,CRM-77,crm-7}'::text[]) q;
SELECT test.find(test.id('Anna')::text) AS id, test.find(upper(test.id('Anna')::text)) AS upper, test.find(replace(test.id('Anna')::text, '-', '')) AS bare,
       test.find(left(test.id('Anna')::text, 18)) AS start, test.find(left(replace(test.id('Anna')::text, '-', ''), 9)) AS shorter, test.find(left(test.id('Anna')::text, 7)) AS too_short;
SELECT test.find(left(test.id('twin')::text, 13)) AS newest_first, test.find(test.id('SHOP-0001')::text) AS id_then_correlation, test.find(md5('correlation 10004')) AS correlation;
-- Names: whole, beginning, last word, words in any order; e-mail; phone.
SELECT q AS query, test.find(q) FROM unnest('{anna maria müller,ANNA MARIA MÜLLER,anna,ann,müller,MÜLL,müller anna,anna müller,Maria Müller Anna,anna m,müll ann,федор,ФЁДОР АЛЁШИН,алёшин,алешин фёдор,алешин  фед,mül maria,lin,maria,o''neil,100%,_x_,%,_}'::text[]) q;
SELECT q AS query, test.find(q) FROM unnest('{anna.mueller@example.com,ANNA.MUELLER@EXAMPLE.COM,anna.m,fedor@,example.com,ann@example.org}'::text[]) q;
SELECT q AS query, test.find(q) FROM unnest('{+43 664 123456,0664 123456,0664/123456,0043664123456,123456,23456,3456,+7 900 7654321,+1 555 0100,15550100,+43 1 5550100,5550100}'::text[]) q;
-- Each order once, exact numbers first; the limit counts orders.
SELECT test.find('anna', 1) AS one, test.find('anna', 2) AS two, test.find('Anna', 1000) AS all;
SELECT count(*), count(DISTINCT id) FROM mesflow.find_orders('anna.mueller@example.com');
-- Whose data was erased is not found by it.
SELECT test.find('olga@example.com') AS email, test.find('эрасед') AS name, test.find('+7 900 7654321') AS phone;
SELECT test.force($$UPDATE mesflow.orders SET status = 'shipped', event_seq = 2 WHERE external_ref = 'twin'$$);
SELECT mesflow.erase_customer(test.id('twin'), 'asked for it');
SELECT test.find('olga@example.com') AS email, test.find('эрасед') AS name, test.find('+7 900 7654321') AS phone, test.find('twin') AS ref;

SELECT q AS query, e.* FROM unnest(ARRAY['NULL', '''''', $$'  '$$, $$E'\u3000'$$]) q, test.error(format('SELECT mesflow.find_orders(%s)', q)) e;
SELECT l AS limit, e.* FROM unnest('{"NULL",0,-1,1001}'::text[]) l, test.error(format($$SELECT mesflow.find_orders('x', %s)$$, l)) e;
SELECT test.find(repeat('long ', 5000)) AS long, test.find(repeat('x', 100000)) AS longer, test.find('(((') AS brackets, test.find('+') AS plus, test.find('----------') AS dashes, test.find('---------------------------------------') AS more;

-- Whatever the statistics say, every look is a short range of an index: of twenty thousand orders none is read in vain.
INSERT INTO mesflow.orders (id, number, partner, external_ref, status, status_since, event_seq, created_at, correlation_id, tracking, asked_hash)
  SELECT mesflow._uuid7_from(at)::text::uuid, (20000 + n)::text || 'x', 'shop', 'MANY-' || n, 'submitted', at, 1, at, md5('many' || n % 2)::uuid, 'PARCEL ' || n % 2, ''
    FROM (SELECT n, timestamptz '2026-10-01 00:00Z' + n * interval '1 min' AS at FROM generate_series(1, 20000) n) m;
INSERT INTO mesflow.customers (order_id, name, email, phone)
  SELECT o.id, CASE WHEN n % 2 = 0 THEN 'Ivan Ivanov' ELSE 'Ivan' || n || ' Petrov' || n END, 'many' || n || '@example.com', '+43 1 7' || lpad(n::text, 6, '0') || '00000'
    FROM (SELECT o.id, substr(o.external_ref, 6)::integer AS n FROM mesflow.orders o WHERE o.external_ref LIKE 'MANY-%') o;
INSERT INTO mesflow._receipts (order_id, system, received_at, via, external_id)
  SELECT o.id, 'mes', now(), 'delivery', 'MES ' || row_number() OVER (ORDER BY o.id) % 2 FROM mesflow.orders o WHERE o.external_ref LIKE 'MANY-%';
CREATE FUNCTION test.reads(OUT whole_tables bigint, OUT entries bigint) LANGUAGE sql AS $$
  SELECT sum(pg_stat_get_xact_numscans(c.oid)) FILTER (WHERE c.relkind = 'r'), sum(pg_stat_get_xact_tuples_returned(c.oid)) FILTER (WHERE c.relkind = 'i')
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
   WHERE coalesce(i.indrelid, c.oid) IN ('mesflow.orders'::regclass, 'mesflow.customers'::regclass, 'mesflow._receipts'::regclass)
$$;
CREATE FUNCTION test.cost(query text) RETURNS TABLE (orders bigint, whole_tables bigint, few_entries boolean) LANGUAGE plpgsql AS $$
DECLARE
  before record;
  after record;
BEGIN
  before := test.reads();
  SELECT count(*) INTO orders FROM mesflow.find_orders($1);
  after := test.reads();
  whole_tables := after.whole_tables - before.whole_tables;
  few_entries := after.entries - before.entries <= 2100;
  RETURN NEXT;
END
$$;
CREATE TABLE test.queries AS SELECT q FROM unnest(ARRAY['100014', 'many-77', 'parcel 1', 'mes 1', 'ivan', 'ivan ivanov', 'ivanov ivan', 'ivanov', 'iv', 'i', 'petrov', 'petrov77', 'p iv', 'many', 'many77@example.com', '00000',
  '+43 1 700007700000', md5('many1'), left(mesflow._uuid7_from('2026-10-03')::text, 8)]) q;
SELECT q AS query, c.* FROM test.queries q, test.cost(q.q) c;
ANALYZE mesflow.orders, mesflow.customers, mesflow._receipts;
DISCARD PLANS;
SELECT count(*) AS queries, sum(c.whole_tables) AS whole_tables, bool_and(c.few_entries) AS few_entries FROM test.queries q, test.cost(q.q) c;
-- The newest of many.
SELECT test.find('parcel 1', 3) AS tracking, test.find('mes 1', 3) AS system, test.find(md5('many1'), 3) AS correlation, test.find('ivan ivanov', 3) AS name, test.find('ivanov', 3) AS last_word, test.find('ivanov ivan', 3) AS turned;
