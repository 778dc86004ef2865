-- Counts of finished work, put right: in all directions, and what follows of it.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\set work :srcdir '/sql/work.psql'
\i :common
\i :orders
\i :work
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT jsonb_build_array(test.item(:'ring', 10, NULL, 'resin', 'sla')) AS ten \gset
-- An order that is being made.
CREATE FUNCTION test.approved(name text) RETURNS text LANGUAGE sql AS $$
  SELECT test.submit($1, (SELECT jsonb_build_array(test.item(m.id, 10, NULL, 'resin', 'sla')) FROM mesflow.models m));
  SELECT test.advance($1, 'approved');
$$;
CREATE FUNCTION test.take(name text, nth integer, operator text DEFAULT 'boris') RETURNS text LANGUAGE sql AS $$
  SELECT test.claim_work($1, $2, $3);
  SELECT test.start_work($1, $2, $3);
$$;

-- Fewer were good, and the next is queued.
SELECT test.approved('queued'), test.make('queued', 1, 10);
SELECT test.correct_work('queued', 1, 8, 1), test.correct_work('queued', 1, 8, 1) AS again;
SELECT * FROM test.floor('queued');
SELECT e.key_seq AS seq, e.type, e.operator, e.actor, e.quantity, e.note, (e.body::jsonb #> '{data,detail}') - 'day' AS detail, e.body::jsonb #>> '{data,work,number}' AS work
  FROM mesflow.outbox e WHERE e.order_id = test.id('queued') AND e.key_seq > 9 ORDER BY e.id;
SELECT count(*) FROM mesflow.outbox e WHERE e.type = 'work.corrected' AND e.body ~ 'anna|greta|counted again';
SELECT process, operation, operator, sum(claimed) AS claimed, sum(finished) AS finished, sum(good) AS good, sum(scrap) AS scrap FROM mesflow.dashboard_operators GROUP BY 1, 2, 3;
SELECT * FROM test.unsound_work;
-- Only the scrap is another; more of it, less, none.
SELECT test.correct_work('queued', 1, 8, 2), test.correct_work('queued', 1, 8, 0);
SELECT * FROM test.unsound_work;
-- More were good: what was queued again is less, or nothing at all.
SELECT test.correct_work('queued', 1, 9, 0), test.correct_work('queued', 1, 10, 0);
SELECT * FROM test.floor('queued');
SELECT * FROM test.unsound_work;
-- None were good: the rest of the lot is for the new one. And some of them, after all.
SELECT test.correct_work('queued', 1, 0, 10);
SELECT * FROM test.floor('queued');
SELECT * FROM test.unsound_work;
SELECT test.correct_work('queued', 1, 4, 6);
SELECT * FROM test.floor('queued');
SELECT * FROM test.unsound_work;
SELECT test.correct_work('queued', 1, 2, 8);
SELECT * FROM test.floor('queued');
SELECT * FROM test.unsound_work;
SELECT test.correct_work('queued', 1, 10, 0);
SELECT * FROM test.unsound_work;

-- Finished without one that is good, and then some were.
SELECT test.approved('all scrap'), test.make('all scrap', 1, 0, 10), test.correct_work('all scrap', 1, 4, 6);
SELECT * FROM test.floor('all scrap');
SELECT * FROM test.unsound_work;
SELECT test.correct_work('all scrap', 1, 2, 6), test.correct_work('all scrap', 1, 7, 3);
SELECT * FROM test.floor('all scrap');
SELECT * FROM test.unsound_work;

-- The next is claimed, or started: whoever has it has fewer pieces.
SELECT test.approved('taken'), test.make('taken', 1, 10), test.claim_work('taken', 2, 'boris'), test.correct_work('taken', 1, 8, 2), test.start_work('taken', 2, 'boris'), test.correct_work('taken', 1, 6, 4);
SELECT * FROM test.floor('taken');
SELECT * FROM test.unsound_work;
-- More: those go on apart, for what is started is as it is.
SELECT test.correct_work('taken', 1, 9, 1);
SELECT * FROM test.floor('taken');
SELECT * FROM test.unsound_work;
-- And fewer again: of those that go on apart first, and no lot has less than nothing.
SELECT test.correct_work('taken', 1, 8, 2);
SELECT * FROM test.floor('taken');
SELECT * FROM test.unsound_work;
SELECT test.correct_work('taken', 1, 2, 8);
SELECT * FROM test.floor('taken');
SELECT * FROM test.unsound_work;
SELECT test.correct_work('taken', 1, 0, 10);
SELECT * FROM test.floor('taken');
SELECT * FROM test.unsound_work;

-- The next is finished.
SELECT test.approved('done'), test.make('done', 1, 10), test.make('done', 2, 7, 1);
SELECT test.correct_work('done', 1, 9, 1);
SELECT * FROM test.floor('done');
SELECT * FROM test.unsound_work;
SELECT test.correct_work('done', 1, 8, 2), test.correct_work('done', 1, 7, 3);
SELECT * FROM test.refused(format('SELECT mesflow.correct_work(%L, 7, 3, ''counted again'', ''greta'')', test.w('done', 1)));
-- More again.
SELECT test.correct_work('done', 1, 9, 1);
SELECT * FROM test.floor('done');
SELECT * FROM test.unsound_work;
SELECT test.correct_work('done', 2, 8, 0), test.correct_work('done', 2, 7, 0);
SELECT * FROM test.floor('done');
SELECT * FROM test.unsound_work;

-- The pieces that are made again are claimed, started, finished.
SELECT test.approved('again'), test.make('again', 1, 6, 4), test.claim_work('again', 4, 'boris');
SELECT test.correct_work('again', 1, 8, 2);
SELECT * FROM test.refused(format('SELECT mesflow.correct_work(%L, 8, 2, ''counted again'', ''greta'')', test.w('again', 1)));
SELECT test.start_work('again', 4, 'boris'), test.correct_work('again', 1, 8, 2), test.correct_work('again', 1, 4, 4) AS fewer;
SELECT * FROM test.floor('again');
SELECT test.correct_work('again', 1, 6, 4) AS as_it_was, test.correct_work('again', 1, 7, 3) AS more;
SELECT test.finish_work('again', 4, 'boris', 4), test.correct_work('again', 1, 7, 3) AS more;
SELECT * FROM test.floor('again');
SELECT * FROM test.unsound_work;

-- Where to begin again.
SELECT test.approved('from'), test.make('from', 1, 10), test.make('from', 2, 10), test.correct_work('from', 2, 8, 2, repeat_from => 'cure'), test.correct_work('from', 2, 6, 2, repeat_from => 'finish'), test.correct_work('from', 2, 6, 2, repeat_from => 'nothing'), test.correct_work('from', 2, 5, 2, repeat_from => 'print');
SELECT * FROM test.floor('from');
SELECT * FROM test.unsound_work;

-- The last operation: the order waits for what is missing, or no longer.
SELECT test.approved('last'), test.make('last', 1, 10), test.make('last', 2, 10), test.make('last', 3, 8, 2);
SELECT test.correct_work('last', 3, 7, 2);
SELECT * FROM test.floor('last');
SELECT * FROM test.unsound_work;
SELECT test.correct_work('last', 3, 10, 0), (SELECT type FROM test.events WHERE name = 'last' ORDER BY seq DESC LIMIT 1);
SELECT type, actor, "to" FROM test.events WHERE name = 'last' ORDER BY seq DESC LIMIT 1;
SELECT * FROM test.floor('last');
SELECT * FROM test.unsound_work;
-- From then on only the counts.
SELECT test.correct_work('last', 3, 9, 1) AS produced, test.correct_work('last', 1, 5, 5) AS first_operation, test.advance('last', 'packed', 'shipped'), test.correct_work('last', 3, 8, 0) AS shipped, test.advance('last', 'delivered', 'closed'), test.correct_work('last', 3, 10, 0) AS closed;
SELECT count(*) AS open FROM mesflow._work_orders WHERE order_id = test.id('last') AND state IN ('planned', 'queued', 'assigned', 'started');
SELECT process, operation, operator, sum(claimed) AS claimed, sum(finished) AS finished, sum(good) AS good, sum(scrap) AS scrap FROM mesflow.dashboard_operators GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT * FROM test.unsound_work;

-- On hold it is still being made; and nobody makes what is cancelled.
SELECT test.approved('hold'), test.make('hold', 1, 10), test.advance('hold', 'on_hold'), test.correct_work('hold', 1, 7, 3), test.correct_work('hold', 1, 9, 1);
SELECT * FROM test.floor('hold');
SELECT * FROM test.unsound_work;
SELECT test.advance('hold', 'cancelled'), test.correct_work('hold', 1, 3, 7);
SELECT * FROM test.floor('hold');
SELECT * FROM test.unsound_work;
SELECT test.submit('items', jsonb_build_array(test.item(:'ring', 10), test.item(:'ring', 10))), test.advance('items', 'approved'), test.make('items', 1, 10);
SELECT mesflow.cancel_item((SELECT i.id FROM mesflow._order_items i WHERE i.order_id = test.id('items') AND i.position = 1), 'not wanted', 'olga');
SELECT test.correct_work('items', 1, 8, 2);
SELECT * FROM test.floor('items');
SELECT * FROM test.unsound_work;

-- Lots of lots: repeated from a repeated one, taken over, and taken back.
SELECT test.approved('deep'), test.make('deep', 1, 10), test.make('deep', 2, 0, 10), test.make('deep', 4, 0, 10);
SELECT * FROM test.floor('deep');
SELECT test.correct_work('deep', 2, 3, 7);
SELECT test.correct_work('deep', 4, 2, 8), test.correct_work('deep', 4, 10, 0);
SELECT * FROM test.floor('deep');
SELECT * FROM test.unsound_work;

-- A customer sends pieces back: counted as scrap, they are made again.
INSERT INTO mesflow.order_statuses (status, position, label) VALUES ('returned', 105, 'Returned');
INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('delivered', 'returned'), ('returned', 'in_production');
SELECT test.approved('returned'), test.make('returned', 1, 10), test.make('returned', 2, 10), test.make('returned', 3, 10), test.advance('returned', 'packed', 'shipped', 'delivered', 'returned', 'in_production');
SELECT test.correct_work('returned', 3, 8, 2), test.make('returned', 4, 2), test.make('returned', 5, 2), test.make('returned', 6, 2);
SELECT type, "from", "to" FROM test.events WHERE name = 'returned' ORDER BY seq DESC LIMIT 1;
SELECT * FROM test.unsound_work;

-- What is not allowed.
SELECT test.approved('bad'), test.make('bad', 1, 10);
SELECT c.good, c.scrap, test.correct_work('bad', 1, c.good, c.scrap) FROM (VALUES (-1, 0), (0, -1), (11, 0), (10, 1), (2147483647, 2147483647), (NULL, 0), (1, NULL)) c (good, scrap);
SELECT test.correct_work('bad', 1, 9, 1, r) FROM unnest(ARRAY[NULL, '', ' ', repeat('x', 10001)]) r;
SELECT test.correct_work('bad', 1, 9, 1, actor => repeat('x', 201)), test.correct_work('bad', 1, 9, 1, repeat_from => 'cure'), test.correct_work('bad', 2, 9, 1) AS queued, test.correct_work('bad', 3, 9, 1) AS planned;
SELECT * FROM test.refused(format('SELECT mesflow.correct_work(%L, 9, 1, ''x'', ''y'')', test.w('bad', 2)));
SELECT test.correct_work('bad', 1, 9, 1, actor => NULL);
SELECT e.actor = session_user AS "user" FROM mesflow.outbox e WHERE e.order_id = test.id('bad') AND e.type = 'work.corrected';
SELECT * FROM test.unsound_work;
SELECT * FROM test.unsound;
