-- What people read.

CREATE VIEW models AS
  SELECT m.id, m.partner, m.filename, r.format, coalesce(r.unit_used, nullif(m.unit, '')) AS unit,
         coalesce(r.unit_from, CASE WHEN m.unit <> '' THEN 'caller' END) AS unit_from, m.size_bytes, m.sha256,
         CASE WHEN r.error_code IS NOT NULL THEN 'rejected'
              WHEN r.engine_version IS NOT NULL THEN 'measured'
              WHEN m.content IS NULL THEN 'rejected'
              WHEN EXISTS (SELECT FROM _jobs_running j WHERE j.sha256 = m.sha256 AND j.unit = m.unit) THEN 'measuring'
              ELSE 'queued' END AS state,
         CASE WHEN r.engine_version IS NULL AND m.content IS NULL THEN 'deleted' ELSE r.error_code END AS error_code,
         CASE WHEN r.engine_version IS NULL AND m.content IS NULL THEN 'The file was deleted before it was measured.' ELSE r.error END AS error,
         m.uploaded_at, m.deleted_at, m.deleted_by, m.deletion_reason
    FROM _models m
    LEFT JOIN LATERAL (SELECT * FROM _measurements r WHERE r.sha256 = m.sha256 AND r.unit = m.unit
                        ORDER BY r.engine_version DESC LIMIT 1) r ON true;
COMMENT ON VIEW models IS 'The 3D files of all partners, and how far they are.';
COMMENT ON COLUMN models.id IS 'the model';
COMMENT ON COLUMN models.partner IS 'whose it is';
COMMENT ON COLUMN models.filename IS 'the name it came with';
COMMENT ON COLUMN models.format IS 'found in the bytes: stl, obj, ply, 3mf or glb; NULL until measured';
COMMENT ON COLUMN models.unit IS 'the unit of its coordinates';
COMMENT ON COLUMN models.unit_from IS 'who said so: caller, file or default';
COMMENT ON COLUMN models.size_bytes IS 'size of the file';
COMMENT ON COLUMN models.sha256 IS 'digest of the bytes';
COMMENT ON COLUMN models.state IS 'queued, measuring, measured or rejected (also with error_code deleted: its bytes went before they were measured)';
COMMENT ON COLUMN models.error_code IS 'why it was rejected, stable text';
COMMENT ON COLUMN models.error IS 'why it was rejected, a sentence for the customer';
COMMENT ON COLUMN models.uploaded_at IS 'when it arrived';
COMMENT ON COLUMN models.deleted_at IS 'when its bytes were deleted; what was measured stays';
COMMENT ON COLUMN models.deleted_by IS 'who deleted them: the actor named, else the login; mesflow for mesflow.model_retention';
COMMENT ON COLUMN models.deletion_reason IS 'why; retention for mesflow.model_retention';

CREATE VIEW quotes AS
  SELECT q.id, q.partner, q.model, q.material, q.process, q.quantity, q.options,
         CASE WHEN q.state IN ('priced', 'review') AND q.expires_at < clock_timestamp() THEN 'expired' ELSE q.state END AS state,
         q.unit_price, q.net, q.tax, q.total, q.currency, q.breakdown, q.price_list, q.lead_days, q.created_at, q.priced_at,
         q.expires_at, q.supersedes, q.error_code, q.error, q.by_hand, q.note, q.decided_by, q.decided_at,
         q.preflight
    FROM _quotes q;
COMMENT ON VIEW quotes IS 'Prices promised, and requests for them.';
COMMENT ON COLUMN quotes.id IS 'the quote';
COMMENT ON COLUMN quotes.partner IS 'whose it is';
COMMENT ON COLUMN quotes.model IS 'what is to be made';
COMMENT ON COLUMN quotes.material IS 'of what';
COMMENT ON COLUMN quotes.process IS 'and how';
COMMENT ON COLUMN quotes.quantity IS 'pieces';
COMMENT ON COLUMN quotes.options IS 'the options asked for, and the defaults of the others';
COMMENT ON COLUMN quotes.state IS 'pending, priced, review, failed, cancelled or expired';
COMMENT ON COLUMN quotes.unit_price IS 'price of one piece, before tax unless the list includes it';
COMMENT ON COLUMN quotes.net IS 'price of all pieces without tax';
COMMENT ON COLUMN quotes.tax IS 'the tax';
COMMENT ON COLUMN quotes.total IS 'net + tax';
COMMENT ON COLUMN quotes.currency IS 'ISO 4217 code';
COMMENT ON COLUMN quotes.breakdown IS 'array of lines {line, per, quantity, unit, rate, amount, public, why}; the amounts add up to total';
COMMENT ON COLUMN quotes.price_list IS 'the rates it was priced by';
COMMENT ON COLUMN quotes.lead_days IS 'days from order to dispatch';
COMMENT ON COLUMN quotes.created_at IS 'when it was asked for';
COMMENT ON COLUMN quotes.priced_at IS 'when the answer was there';
COMMENT ON COLUMN quotes.expires_at IS 'until when it can be ordered';
COMMENT ON COLUMN quotes.supersedes IS 'the quote it replaces';
COMMENT ON COLUMN quotes.error_code IS 'why there is no price, or why a person looks at it; stable text';
COMMENT ON COLUMN quotes.error IS 'the same as a sentence';
COMMENT ON COLUMN quotes.by_hand IS 'did a person set the price?';
COMMENT ON COLUMN quotes.note IS 'what that person said, or why the quote was rejected';
COMMENT ON COLUMN quotes.decided_by IS 'who priced or rejected it';
COMMENT ON COLUMN quotes.decided_at IS 'and when';
COMMENT ON COLUMN quotes.preflight IS 'made ahead by preflight_quotes, and not asked for yet: request_quote hands it out';

CREATE VIEW nodes AS
  SELECT n.id AS node, n.name, n.kind, n.slots, (SELECT count(*) FROM _jobs_running r WHERE r.node = n.id)::integer AS running,
         n.version, n.registered_at, n.last_seen, n.lease_until
    FROM _nodes n;
COMMENT ON VIEW nodes IS 'Processes that claim jobs: this server, and mesflow-node on other machines.';
COMMENT ON COLUMN nodes.node IS 'number of the registration';
COMMENT ON COLUMN nodes.name IS 'its name';
COMMENT ON COLUMN nodes.kind IS 'server or node';
COMMENT ON COLUMN nodes.slots IS 'jobs it can do at once';
COMMENT ON COLUMN nodes.running IS 'jobs it is doing';
COMMENT ON COLUMN nodes.version IS 'of its program';
COMMENT ON COLUMN nodes.registered_at IS 'since when';
COMMENT ON COLUMN nodes.last_seen IS 'its last heartbeat';
COMMENT ON COLUMN nodes.lease_until IS 'without another heartbeat its jobs are taken back then';

-- Position and times of a waiting job, from at most a thousand places ahead of it.
CREATE FUNCTION _ahead(vt float8, id bigint, OUT jobs bigint, OUT cost_ms float8) RETURNS record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
  SELECT count(*), coalesce(sum(w.cost_ms), 0)
    FROM (SELECT w.cost_ms FROM mesflow._jobs_waiting w WHERE (w.vt, w.id) < ($1, $2) ORDER BY w.vt, w.id LIMIT 1000) w
$$;
COMMENT ON FUNCTION _ahead(float8, bigint) IS 'Jobs before this place in the queue, and what they cost, counted up to 1,000.';

CREATE VIEW price_jobs AS
  WITH capacity AS (
    SELECT greatest(coalesce(sum(n.slots) FILTER (WHERE n.lease_until > clock_timestamp()), 0), 1) AS slots FROM _nodes n
  ), work AS (
    SELECT coalesce(sum(greatest(r.cost_ms - extract(epoch FROM clock_timestamp() - r.started_at) * 1000, 0)), 0) AS left_ms FROM _jobs_running r
  )
  SELECT w.id, w.kind, w.partner, w.model, w.quote, 'queued' AS state, w.attempt, NULL AS node, NULL::integer AS percent, NULL AS stage,
         a.jobs + 1 AS queue_position,
         clock_timestamp() + (work.left_ms + a.cost_ms) / capacity.slots * interval '1 ms' AS starts_at,
         clock_timestamp() + ((work.left_ms + a.cost_ms) / capacity.slots + w.cost_ms) * interval '1 ms' AS finishes_at,
         w.queued_at, w.error_code, w.error
    FROM _jobs_waiting w CROSS JOIN capacity CROSS JOIN work CROSS JOIN LATERAL _ahead(w.vt, w.id) a
  UNION ALL
  SELECT w.id, w.kind, w.partner, w.model, w.quote, CASE WHEN w.due IS NULL THEN 'queued' ELSE 'scheduled' END, w.attempt, NULL, NULL, NULL,
         NULL, coalesce(w.due, r.started_at), coalesce(w.due, r.started_at) + w.cost_ms * interval '1 ms', w.queued_at, w.error_code, w.error
    FROM _jobs_aside w LEFT JOIN _jobs_running r ON r.id = w.leader
  UNION ALL
  SELECT r.id, r.kind, r.partner, r.model, r.quote, 'running', r.attempt, (SELECT n.name FROM _nodes n WHERE n.id = r.node), r.percent, r.stage,
         NULL, r.started_at, greatest(r.started_at + r.cost_ms * interval '1 ms', clock_timestamp()), r.queued_at, r.error_code, r.error
    FROM _jobs_running r
  UNION ALL
  SELECT d.id, d.kind, d.partner, d.model, d.quote, d.state, d.attempt, d.node, CASE WHEN d.state = 'done' THEN 100 END, NULL,
         NULL, d.started_at, d.finished_at, d.queued_at, d.error_code, d.error
    FROM _jobs_done d
   WHERE d.finished_at > clock_timestamp() - current_setting('mesflow.jobs_retention')::interval
  UNION ALL
  SELECT * FROM _batch_jobs;
COMMENT ON VIEW price_jobs IS 'Background work: waiting, running, and what ended within mesflow.jobs_retention.';
COMMENT ON COLUMN price_jobs.id IS 'number of the job';
COMMENT ON COLUMN price_jobs.kind IS 'measure (after an upload), price (a quote that waits for the measurement), preflight or reprice (many quotes at once)';
COMMENT ON COLUMN price_jobs.partner IS 'for whom';
COMMENT ON COLUMN price_jobs.model IS 'the model; NULL for kind reprice';
COMMENT ON COLUMN price_jobs.quote IS 'the quote, for kind price';
COMMENT ON COLUMN price_jobs.state IS 'scheduled (will be tried again, or waits for a measurement), queued, running, done, failed or cancelled';
COMMENT ON COLUMN price_jobs.attempt IS 'tries so far that count';
COMMENT ON COLUMN price_jobs.node IS 'who does it, or did it';
COMMENT ON COLUMN price_jobs.percent IS 'how far it is';
COMMENT ON COLUMN price_jobs.stage IS 'what the engine is doing; for many quotes, how many are done';
COMMENT ON COLUMN price_jobs.queue_position IS '1 is next; 1001 stands for anything beyond 1,000; preflight and reprice have a queue of their own';
COMMENT ON COLUMN price_jobs.starts_at IS 'expected, then real';
COMMENT ON COLUMN price_jobs.finishes_at IS 'expected, then real';
COMMENT ON COLUMN price_jobs.queued_at IS 'when it was queued';
COMMENT ON COLUMN price_jobs.error_code IS 'of the last try';
COMMENT ON COLUMN price_jobs.error IS 'the same as a sentence';
