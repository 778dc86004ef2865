# Days and shifts of pay in time zones, on the nights when the clock changes; the time zone is a setting that a reload changes.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => "mesflow.pricing_slots = 0\ntimezone = 'Asia/Tokyo'");

sub in_zone
{
	my ($zone) = @_;

	$node->set('mesflow.time_zone' => $zone);
	$node->await('SHOW mesflow.time_zone', "in $zone", $zone);
	return;
}

# "DAY SHIFT" of moments, one after the other.
sub days
{
	my (@moments) = @_;

	return $node->sql("SELECT string_agg(to_char(d.day, 'MM-DD') || ' ' || coalesce(d.shift, '-'), ', ' ORDER BY m.n)"
		  . ' FROM unnest(ARRAY[' . join(', ', map { "'$_'" } @moments) . "]::timestamptz[]) WITH ORDINALITY m (at, n), mesflow._pay_day(m.at) d");
}

# ---- the setting ------------------------------------------------------------

is($node->sql('SHOW mesflow.time_zone'), 'UTC', 'UTC where nobody says another, whatever the server has');
foreach my $bad ('Europe/Viena', 'Mars', '')
{
	my ($status, $out, $err) = $node->psql('postgres', "ALTER SYSTEM SET mesflow.time_zone = '$bad'");
	like($err, qr/invalid value for parameter "mesflow\.time_zone".*DETAIL:  There is no time zone "\Q$bad\E"\..*HINT:  See the view pg_timezone_names\./s,
		"'$bad' is no time zone");
}
foreach my $bad ('UTC+2', '7', 'CET-1CEST', '<+02>-2')
{
	my ($status, $out, $err) = $node->psql('postgres', "ALTER SYSTEM SET mesflow.time_zone = '$bad'");
	like($err, qr/DETAIL:  "\Q$bad\E" is not the name of a place\..*HINT:  Name one/s, "'$bad' is none");
}
$node->append_conf('postgresql.conf', "mesflow.time_zone = 'Nowhere/Land'");
my $from = -s $node->logfile;
$node->sql('SELECT pg_reload_conf()', 'postgres');
$node->await_true(sub { $node->log_lines(qr/invalid value for parameter "mesflow\.time_zone": "Nowhere\/Land"/, $from) > 0 }, 'nor is one that is written into the file');
is($node->sql('SHOW mesflow.time_zone'), 'UTC', 'and what was before stays');

# ---- nights -------------------------------------------------------------------

$node->sql(q{
	INSERT INTO mesflow.shifts (code, starts, ends, days) VALUES ('late', '14:00', '22:00', '{1,2,3,4,5,6,7}'), ('night', '22:00', '06:00', '{1,2,3,4,5,6,7}'),
		('quick', '02:15', '02:45', '{1,2,3,4,5,6,7}')});
in_zone('Europe/Vienna');
is(days('2026-07-01 19:59:59+00', '2026-07-01 20:00+00', '2026-07-02 03:59:59+00', '2026-07-02 04:00+00'), '07-01 late, 07-01 night, 07-01 night, 07-02 -', 'summer: two hours ahead');
is(days('2026-01-01 20:59:59+00', '2026-01-01 21:00+00', '2026-01-02 04:59:59+00', '2026-01-02 05:00+00'), '01-01 late, 01-01 night, 01-01 night, 01-02 -', 'winter: one');
is(days('2026-01-31 22:59+00', '2026-01-31 23:00+00'), '01-31 night, 01-31 night', 'a month ends at night');
is(days('2026-03-28 21:00+00', '2026-03-29 00:59:59+00', '2026-03-29 01:00+00', '2026-03-29 03:59:59+00', '2026-03-29 04:00+00'),
	'03-28 night, 03-28 night, 03-28 night, 03-28 night, 03-29 -', 'the night that loses an hour');
is(days('2026-10-24 20:00+00', '2026-10-25 00:15+00', '2026-10-25 00:45+00', '2026-10-25 01:15+00', '2026-10-25 01:45+00', '2026-10-25 04:59:59+00', '2026-10-25 05:00+00'),
	'10-24 night, 10-25 quick, 10-24 night, 10-25 quick, 10-24 night, 10-24 night, 10-25 -', 'the night that gains one: 02:15 comes twice');
in_zone('America/New_York');
is(days('2026-03-08 02:59:59+00', '2026-03-08 03:00+00', '2026-03-08 06:59:59+00', '2026-03-08 07:00+00', '2026-03-08 09:59:59+00', '2026-03-08 10:00+00'),
	'03-07 late, 03-07 night, 03-07 night, 03-07 night, 03-07 night, 03-08 -', 'the night that loses an hour, there');
is(days('2026-11-01 02:00+00', '2026-11-01 06:15+00', '2026-11-01 07:15+00', '2026-11-01 10:59:59+00', '2026-11-01 11:00+00'),
	'10-31 night, 10-31 night, 11-01 quick, 10-31 night, 11-01 -', 'the one that gains it');
is($node->sql("SET timezone = 'Asia/Tokyo'; SELECT day || ' ' || shift FROM mesflow._pay_day('2026-03-08 03:00+00')"), '2026-03-07 night', "a session's own time zone does not matter");

# ---- against SQL ----------------------------------------------------------------

$node->sql(q{
	CREATE FUNCTION public.pay_day(wall timestamp, OUT day date, OUT shift text) LANGUAGE sql STABLE AS $$
	  SELECT coalesce(c.day, $1::date), c.code
	    FROM (SELECT) nothing LEFT JOIN LATERAL (
	      SELECT s.code, d::date AS day FROM mesflow.shifts s, generate_series($1::date - 1, $1::date, '1 day') d
	       WHERE extract(isodow FROM d) = ANY (s.days) AND $1 >= d + s.starts AND $1 < d + s.ends + CASE WHEN s.ends < s.starts THEN interval '1 day' ELSE '0' END
	       ORDER BY d + s.starts DESC, s.code COLLATE "C" LIMIT 1) c ON true
	$$;
	UPDATE mesflow.shifts SET days = '{1,3,4,6,7}' WHERE code = 'night';
	INSERT INTO mesflow.shifts (code, starts, ends, days) VALUES ('long', '20:30', '03:10:00.5', '{2,5,6}'), ('end', '23:00', '00:00', '{1,6}'), ('other end', '23:00', '24:00', '{6}')});
foreach my $zone ('Europe/Vienna', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Etc/GMT-2', 'europe/vienna')
{
	in_zone($zone);
	is($node->sql(qq{
		SELECT count(*) > 15000, count(*) FILTER (WHERE p.shift IS NOT NULL) > 5000, count(*) FILTER (WHERE (p.day, p.shift) IS DISTINCT FROM (q.day, q.shift))
		  FROM (SELECT generate_series('2026-01-01 00:00+00', '2027-01-01 00:00+00', interval '37 min 13.777 s')
		        UNION ALL SELECT generate_series(change - interval '12 h', change + interval '12 h', '1 min')
		          FROM unnest('{2026-03-08 07:00+00,2026-03-29 01:00+00,2026-10-25 01:00+00,2026-11-01 06:00+00}'::timestamptz[]) change) m (at),
		       mesflow._pay_day(m.at) p, public.pay_day(m.at AT TIME ZONE '$zone') q}), 't|t|0', "a year and the nights of change, $zone");
}
done_testing();
