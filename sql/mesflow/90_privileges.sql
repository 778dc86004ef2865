-- Nothing for PUBLIC; the group roles get what their seat needs. Public verbs run as their owner (SECURITY DEFINER):
-- who may call them needs no right on a table.

REVOKE ALL ON ALL ROUTINES IN SCHEMA mesflow FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA mesflow FROM PUBLIC;
REVOKE ALL ON TYPE _price FROM PUBLIC;

GRANT USAGE ON SCHEMA mesflow TO mesflow_app, mesflow_operator, mesflow_manager, mesflow_monitor, mesflow_node, mesflow_admin;

GRANT EXECUTE ON FUNCTION
    upload_model(bytea, text, text, text, text), begin_upload(text, bigint, text, text, text), append_upload(uuid, bigint, bytea),
    finish_upload(uuid, bytea), await_model(uuid, interval), estimate(uuid, text, text, integer, jsonb, text, text),
    request_quote(uuid, text, text, integer, jsonb, text, text), await_quote(uuid, interval), cancel_quote(uuid), delete_model(uuid, text, text),
    preflight_quotes(uuid, text[], text[], integer[], float8[], text)
  TO mesflow_app, mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION model_content(uuid, bigint, integer), model_picture(uuid, integer) TO mesflow_app, mesflow_operator, mesflow_manager, mesflow_admin;
GRANT SELECT ON models, measurements, quotes, materials, processes, price_jobs TO mesflow_app, mesflow_operator, mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION _ahead(float8, bigint)     -- which price_jobs calls as its reader
  TO mesflow_app, mesflow_operator, mesflow_manager, mesflow_monitor, mesflow_admin;

GRANT EXECUTE ON FUNCTION
    submit_order(text, text, jsonb, jsonb, timestamptz, text, integer), submit_orders(jsonb), change_order(uuid, jsonb, text, text),
    requote_order(uuid, text), cancel_order(uuid, text, text), cancel_item(uuid, text, text),
    set_priority(uuid, integer, text, text), set_due(uuid, timestamptz, text, text), emit(text, text, jsonb, text, uuid)
  TO mesflow_app, mesflow_manager, mesflow_admin;
GRANT SELECT ON outbox TO mesflow_app, mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION advance_order(uuid, text, text, text, text, text, jsonb) TO mesflow_app, mesflow_operator, mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION find_orders(text, integer), order_timeline(uuid), order_card(uuid), confirm_receipt(uuid, text, text, text, text)
  TO mesflow_app, mesflow_operator, mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION dispatch_page(text, jsonb, integer), orders_page(text, jsonb, integer) TO mesflow_app, mesflow_operator, mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION reconcile_orders(text, text[], timestamptz, timestamptz) TO mesflow_app, mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION erase_customer(uuid, text, text) TO mesflow_manager, mesflow_admin;
GRANT SELECT ON orders, order_items, order_systems, order_statuses, order_transitions TO mesflow_app, mesflow_operator, mesflow_manager, mesflow_admin;
GRANT SELECT ON customers TO mesflow_app, mesflow_manager, mesflow_admin;
GRANT SELECT ON dashboard_orders, dashboard_dispatch TO mesflow_app, mesflow_operator, mesflow_manager, mesflow_monitor, mesflow_admin;
GRANT UPDATE (status, priority, due_at) ON orders TO mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION _fold(text) TO mesflow_manager, mesflow_admin;      -- which the indexes of orders call

GRANT EXECUTE ON FUNCTION
    claim_work(text, text, integer, uuid), claim_work_order(uuid, text), start_work(uuid, text), finish_work(uuid, text, integer, integer, text),
    release_work(uuid, text, text, text)
  TO mesflow_operator, mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION floor_report() TO mesflow_operator, mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION correct_work(uuid, integer, integer, text, text, text) TO mesflow_manager, mesflow_admin;
GRANT SELECT ON work_orders TO mesflow_app, mesflow_operator, mesflow_manager, mesflow_monitor, mesflow_admin;
GRANT SELECT ON operators, stations, shifts TO mesflow_operator;
GRANT SELECT ON dashboard_operators TO mesflow_operator, mesflow_manager, mesflow_monitor, mesflow_admin;
GRANT EXECUTE ON FUNCTION _pay_day(timestamptz), _operator_audit(date) TO mesflow_manager, mesflow_admin;

GRANT SELECT ON partners, systems, price_lists, rates, quantity_breaks, limits, expectations, operators, stations, shifts TO mesflow_manager;
GRANT EXECUTE ON FUNCTION price_quote(uuid, numeric, text, text), reject_quote(uuid, text, text), recompute_quote(uuid), check_price_list(text),
    revise_price_list(jsonb, text, text, timestamptz, text)
  TO mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION create_partner(text, text, text, jsonb) TO mesflow_admin;
GRANT EXECUTE ON FUNCTION cancel_job(bigint), retry_job(bigint), reprice_quotes(text, boolean) TO mesflow_manager, mesflow_admin;

GRANT EXECUTE ON FUNCTION create_consumer(text, text[], text, text), drop_consumer(text) TO mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION consume(text, integer), ack(text, bigint) TO mesflow_app, mesflow_manager, mesflow_admin;
GRANT SELECT ON consumers TO mesflow_app, mesflow_manager, mesflow_monitor, mesflow_admin;
GRANT EXECUTE ON FUNCTION _unread(text, smallint, bigint)     -- which consumers calls as its reader
  TO mesflow_app, mesflow_manager, mesflow_monitor, mesflow_admin;
GRANT EXECUTE ON FUNCTION rebase() TO mesflow_admin;

GRANT EXECUTE ON FUNCTION create_endpoint(text, text, text[], text, text, jsonb), alter_endpoint(text, jsonb, text, text[]), drop_endpoint(text),
    rotate_secret(text, interval), ping_endpoint(text)
  TO mesflow_admin;
GRANT EXECUTE ON FUNCTION pause_endpoint(text, text, text), resume_endpoint(text, text), replay(text, timestamptz, timestamptz, text[], uuid),
    replay_dead(text, bigint[], text), dismiss_dead(bigint[], text, text), drain(interval)
  TO mesflow_manager, mesflow_admin;
GRANT SELECT ON endpoints, deliveries TO mesflow_manager, mesflow_monitor, mesflow_admin;
GRANT SELECT ON delivery_attempts, dead_letters TO mesflow_manager, mesflow_admin;      -- which have bodies and answers
GRANT EXECUTE ON FUNCTION _bare_url(text), _bare_options(jsonb, jsonpath), _endpoint_waiting(text, bigint), _in_flight(integer), _origin(),     -- which the views call as their reader
    _is_unread(_cursors, bigint, xid8, integer), _is_for(text, _cursors, jsonpath, text, text, text, text), _wants_type(text[], text), _event_passes(jsonpath, text)
  TO mesflow_manager, mesflow_monitor, mesflow_admin;

GRANT EXECUTE ON FUNCTION
    node_register(text, integer, text, integer), claim_jobs(integer, bytea, integer, integer),
    job_content(integer, bytea, bigint, bigint, bigint, integer), heartbeat(integer, bytea, bigint[], bigint[], integer[], text[]),
    complete_jobs(integer, bytea, bigint[], bigint[], jsonb[], bigint[], bytea[]), fail_job(integer, bytea, bigint, bigint, text, text),
    release_jobs(integer, bytea, bigint[], bigint[])
  TO mesflow_node, mesflow_admin;

GRANT EXECUTE ON FUNCTION health(), mesflow.version(), verify_jobs(), _worker_status() TO mesflow_monitor, mesflow_admin;
GRANT EXECUTE ON FUNCTION _duty_due_at(_duties) TO mesflow_monitor, mesflow_admin;      -- which housekeeping calls as its reader
GRANT SELECT ON worker_status, nodes, price_jobs, housekeeping TO mesflow_monitor, mesflow_admin;

GRANT SELECT, INSERT, UPDATE, DELETE ON partners, systems, materials, processes, price_lists, rates, quantity_breaks,
    limits, expectations, operators, stations, shifts, order_statuses, order_transitions TO mesflow_admin;
GRANT EXECUTE ON FUNCTION _default_options(jsonb), _is_code(text), _printer_fault(jsonb), _currency_digits(text), _may_restore() TO mesflow_admin;     -- which writing the catalog calls
GRANT EXECUTE ON FUNCTION price_line(text, text, numeric, text, jsonb, text, text),        -- for pricing functions of their own
    price_additive(measurements, materials, processes, integer, jsonb, jsonb), price_casting(measurements, materials, processes, integer, jsonb, jsonb)
  TO mesflow_manager, mesflow_admin;
GRANT EXECUTE ON FUNCTION load_example_catalog(), arm(text), schedule_housekeeping(), unschedule_housekeeping() TO mesflow_admin;
GRANT EXECUTE ON FUNCTION _begin_duty(text), _try_duty(text), _raise(text, text, text, text) TO mesflow_admin;     -- which duties call as their caller
GRANT EXECUTE ON PROCEDURE _run_duty(text) TO mesflow_admin;
DO $$
DECLARE
  duty record;
BEGIN
  FOR duty IN SELECT d.name FROM mesflow._duties d LOOP
    EXECUTE format('GRANT EXECUTE ON PROCEDURE mesflow.%I() TO mesflow_admin', duty.name);
  END LOOP;
END
$$;

-- What pg_dump takes along, secrets of endpoints among it. What troubled an endpoint is of this database. The nodes belong to a server, not to its data; notes of contents to remove are made anew by
-- arm(), for they are not to be judged before all models are there; the identity goes along to tell a copy.
DO $$
DECLARE
  part record;
BEGIN
  FOR part IN SELECT * FROM (VALUES
      ('_identity', ''), ('partners', 'WHERE code <> ''shop'' OR version > 1'), ('systems', 'WHERE NOT mesflow._is_default(''systems'', to_jsonb(systems))'),
      ('order_statuses', 'WHERE NOT mesflow._is_default(''order_statuses'', to_jsonb(order_statuses))'),
      ('order_transitions', 'WHERE NOT mesflow._is_default(''order_transitions'', to_jsonb(order_transitions))'), ('_defaults_removed', ''), ('materials', ''),
      ('price_lists', ''), ('processes', ''), ('rates', ''), ('quantity_breaks', ''), ('limits', ''), ('expectations', ''), ('operators', ''),
      ('stations', ''), ('shifts', ''), ('_catalog_history', ''),
      ('_contents', ''), ('_chunks', ''), ('_models', ''), ('_measurements', ''), ('_pictures', ''), ('_uploads', ''), ('_quotes', ''),
      ('orders', ''), ('_order_items', ''), ('customers', ''), ('_receipts', ''), ('_order_history', ''), ('_orders_to_sum', ''), ('_orders_to_sum_id_seq', ''), ('_order_numbers', ''),
      ('_work_orders', ''), ('_work_kinds', ''), ('_work_kinds_kind_seq', ''), ('_work_requests', ''), ('dashboard_operators', ''),
      ('_cursors', ''), ('_cursor_backlog', ''), ('_outbox_ids', ''),
      ('_endpoints', ''), ('_endpoint_numbers', ''), ('_endpoint_secrets', ''), ('_pending', ''), ('_receipts_due', ''), ('_dead_letters', ''), ('_dead_letters_number_seq', ''),
      ('_jobs_waiting', ''), ('_jobs_aside', ''), ('_jobs_running', ''), ('_batches', ''), ('_job_ids', ''), ('_contents_id_seq', '')) AS p (name, condition) LOOP
    PERFORM pg_catalog.pg_extension_config_dump(('mesflow.' || part.name)::regclass, part.condition);
  END LOOP;
  FOR slot IN 0..31 LOOP
    PERFORM pg_catalog.pg_extension_config_dump(format('mesflow._jobs_done_%s', lpad(slot::text, 2, '0'))::regclass, '');
    PERFORM pg_catalog.pg_extension_config_dump(format('mesflow._batches_done_%s', lpad(slot::text, 2, '0'))::regclass, '');
    PERFORM pg_catalog.pg_extension_config_dump(format('mesflow._attempts_%s', lpad(slot::text, 2, '0'))::regclass, '');
    PERFORM pg_catalog.pg_extension_config_dump(format('mesflow.outbox_%s', lpad(slot::text, 2, '0'))::regclass, '');
  END LOOP;
END
$$;

-- pg_restore with several processes loads tables in any order, so foreign keys and rules have to be off: it is run with
-- session_replication_role = replica. What such a restore needs is done all the same.
ALTER TABLE _catalog_history ENABLE ALWAYS TRIGGER skip_known;
ALTER TABLE partners ENABLE ALWAYS TRIGGER restore_shop;
ALTER TABLE systems ENABLE ALWAYS TRIGGER a_restore;
ALTER TABLE order_statuses ENABLE ALWAYS TRIGGER a_restore;
ALTER TABLE order_transitions ENABLE ALWAYS TRIGGER a_restore;
ALTER TABLE _cursors ENABLE ALWAYS TRIGGER restore;
ALTER TABLE order_statuses ENABLE ALWAYS TRIGGER changed;
ALTER TABLE order_transitions ENABLE ALWAYS TRIGGER changed;
ALTER TABLE expectations ENABLE ALWAYS TRIGGER flow_changed;
ALTER TABLE shifts ENABLE ALWAYS TRIGGER changed;
