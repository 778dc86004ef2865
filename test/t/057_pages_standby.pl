# Pages on a streaming standby: the rows of the primary, and its tokens.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $primary = MesflowNode->ready('primary', init => { allows_streaming => 1 }, conf => 'fsync = off');
$primary->sql(q{
	SET session_replication_role = replica;
	INSERT INTO mesflow.orders (id, number, partner, external_ref, status, status_since, created_at, correlation_id, asked_hash, closed_as)
		SELECT md5(n::text)::uuid, n, 'shop', n, s, at, at, md5(n::text)::uuid, '', CASE s WHEN 'closed' THEN s END
		  FROM (SELECT n, CASE WHEN n < 5 THEN 'closed' ELSE 'approved' END AS s, now() + n * interval '1 s' AS at FROM generate_series(1, 9) n) o;
	INSERT INTO mesflow.dashboard_orders (order_id, number, partner, external_ref, status, status_since, priority, created_at, items, as_of)
		SELECT id, number, partner, external_ref, status, status_since, priority, created_at, 0, now() FROM mesflow.orders WHERE closed_as IS NULL;
	INSERT INTO mesflow.dashboard_dispatch
		SELECT id, number, number, partner, 'fdm', 'print', 'pla', 1, id, 0, NULL, NULL, 'queued', created_at, NULL, false, now(), id, 1, 17179869184, 'infinity' FROM mesflow.dashboard_orders o JOIN mesflow.orders USING (number, partner, created_at, priority)});
$primary->backup('base');
my $standby = MesflowNode->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));

foreach my $page ('dispatch_page', 'orders_page')
{
	my $rows = $primary->sql("SELECT p.number, p.next FROM mesflow.$page(limit_to => 3) p");
	my ($next) = $rows =~ /\|(\S+)$/;

	is($standby->sql("SELECT p.number, p.next FROM mesflow.$page(limit_to => 3) p"), $rows, "$page: the same page");
	is($standby->sql("SELECT p.number, p.next FROM mesflow.$page('$next', limit_to => 30) p"),
		$primary->sql("SELECT p.number, p.next FROM mesflow.$page('$next', limit_to => 30) p"), 'and what follows it');
	is($standby->sql("SELECT bool_and(as_of <= now()) FROM mesflow.$page()"), 't', 'as of a moment that was');
}
is($standby->sql(q{SELECT string_agg(number, ' ') FROM mesflow.orders_page()}), '9 8 7 6 5 4 3 2 1', 'open and closed orders');
is($standby->sql(q{SELECT count(*) FROM mesflow.orders_page(filters => '{"partner": "shop", "status": "closed"}')}), '4', 'filtered');
like($standby->sql('SELECT mesflow.floor_report()'), qr/^ Free · work orders: 5 · pieces: 5$/m, 'the report');
$standby->stop;
$primary->stop;
done_testing();
