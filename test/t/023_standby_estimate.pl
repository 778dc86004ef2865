# estimate() on a streaming standby: the same prices as on its primary, to the
# byte, also by a company's own function, and nothing written for them.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $conf = "mesflow.pricing_slots = 1\nmesflow.pricing_function_timeout = 100ms\nfsync = off";
my $primary = MesflowNode->ready('primary', init => { allows_streaming => 1 }, conf => $conf);
my $model = $primary->upload_bytes(MesflowNode::cube(10), 'cube.stl');
$primary->settled(1);
$primary->sql(q{
	CREATE FUNCTION public.price(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes,
		quantity integer, options jsonb, rates jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		IF quantity = 3 THEN
			LOOP NULL; END LOOP;
		END IF;
		RETURN mesflow.price_additive(measurement, material, process, quantity, options, rates) || '{"line": "own", "amount": 0.5}'::jsonb;
	END
	$$;
	UPDATE mesflow.processes SET pricing_function = 'public.price' WHERE code = 'sls';
	INSERT INTO mesflow.price_lists (code, currency) VALUES ('draft', 'KWD');
	INSERT INTO mesflow.rates (price_list, process, material, name, value)
		SELECT 'draft', process, material, name, value * 2 FROM mesflow.rates WHERE price_list = 'example'});

$primary->backup('base');
my $standby = MesflowNode->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
is($standby->sql('SELECT pg_is_in_recovery()'), 't', 'it is a standby');

my %estimate = (
	'all that fits' => "mesflow.estimate('$model')",
	'seven of all that fits' => "mesflow.estimate('$model', quantity => 7)",
	'all that knows an option' => "mesflow.estimate('$model', options => '{\"finish\": \"sanded\"}')",
	'all that is made of gold' => "mesflow.estimate('$model', 'gold750')",
	'a draft' => "mesflow.estimate('$model', price_list => 'draft')",
	'a function that does not end' => "mesflow.estimate('$model', quantity => 3)");
foreach my $what (sort keys %estimate)
{
	my $query = "SELECT e FROM $estimate{$what} e";
	my $prices = $primary->sql($query);

	cmp_ok(scalar(split /\n/, $prices), '>', 0, "$what: there are prices");
	is($standby->sql($query), $prices, 'the same on the standby');
}
is($standby->sql("SELECT count(*), count(total) FROM $estimate{'all that fits'}"), '8|8', 'all eight are priced');
is($standby->sql("SELECT string_agg(process || ' ' || error_code, ', ') FROM $estimate{'a function that does not end'} WHERE total IS NULL"),
	'sls pricing_failed', 'the one that does not end has failed, and no other');
is($standby->sqlstate("SELECT mesflow.request_quote('$model', 'pa12', 'sls')"), 'MF503', 'a standby promises nothing');
$standby->stop;
$primary->stop;
done_testing();
