# Twice as many triangles cost at most twice as much and 15 percent, in
# instructions that callgrind counts, for every step of a measurement.
use strict;
use warnings;
use IPC::Run qw(run);
use PostgreSQL::Test::Utils;
use Test::More;

my $program = $ENV{MF_GEOMETRY_PROGRAM} or plan skip_all => 'MF_GEOMETRY_PROGRAM is not set';
my $most = 2.15;

# A step this small, in instructions, is no step.
my $small = 50_000;
my $folder = PostgreSQL::Test::Utils::tempdir('cost');

foreach my $tool ('valgrind', 'callgrind_annotate')
{
	plan skip_all => "there is no $tool" unless grep { -x "$_/$tool" } split /:/, $ENV{PATH};
}

# What measures, and so may be a step; each is called once for a model.
my @steps = qw(mf_stl_read_binary mf_scene_settle mf_part_measure mf_surface_find mf_edges_match
  mf_shells_number mf_measure_sums mf_nesting_find mf_totals_measure mf_layers_measure
  mf_convex_begin mf_convex_end mf_rays_measure mf_survey_take mf_space_build mf_walls_measure
  mf_supports_measure mf_overlaps_measure mf_intersections_find mf_picture_make mf_geometry_measure);

# Those that every model has, and those that it has where all is asked for.
my @always = qw(mf_stl_read_binary mf_edges_match mf_measure_sums mf_nesting_find mf_geometry_measure);
my @whole = qw(mf_layers_measure mf_convex_begin mf_survey_take mf_space_build mf_walls_measure mf_supports_measure
  mf_overlaps_measure mf_picture_make);

# A torus of 2 x rows x 100 triangles with a cavity of a tenth of them, or,
# with another number of columns, without; no order: each is somewhere else.
sub torus
{
	my ($rows, $shuffled, $columns) = @_;
	my @facets;

	foreach my $body ([ 10, $rows, 0 ], $columns == 100 ? [ 5, $rows / 10, 1 ] : ())
	{
		my ($minor, $own_rows, $inward) = @$body;
		my @at = map {
			my $u = 2 * 3.14159265358979 * $_ / $own_rows;
			map {
				my $v = 2 * 3.14159265358979 * $_ / $columns;
				pack('f<3', (30 + $minor * cos($v)) * cos($u), (30 + $minor * cos($v)) * sin($u), $minor * sin($v));
			} 0 .. $columns - 1;
		} 0 .. $own_rows - 1;
		foreach my $r (0 .. $own_rows - 1)
		{
			foreach my $c (0 .. $columns - 1)
			{
				my ($a, $b) = ($r * $columns, ($r + 1) % $own_rows * $columns);
				my $d = ($c + 1) % $columns;
				foreach my $k ([ $a + $c, $b + $c, $b + $d ], [ $a + $c, $b + $d, $a + $d ])
				{
					my @corners = $inward ? reverse(@$k) : @$k;
					push @facets, pack('f<3', 0, 0, 0) . join('', @at[@corners]) . pack('v', 0);
				}
			}
		}
	}
	if ($shuffled)
	{
		my $state = 1;
		for (my $i = $#facets; $i > 0; $i--)
		{
			$state = ($state * 1103515245 + 12345) % 2147483648;
			my $other = ($state >> 8) % ($i + 1);
			@facets[ $i, $other ] = @facets[ $other, $i ];
		}
	}
	return pack('a80V', 'torus', scalar(@facets)) . join('', @facets);
}

# The instructions of each step, by its name.
sub cost
{
	my ($bytes, @options) = @_;
	my ($out, $err) = ('', '');
	my %cost;

	open(my $file, '>:raw', "$folder/model.stl") or die "model.stl: $!";
	print $file $bytes;
	close($file) or die "model.stl: $!";
	unlink("$folder/counted");
	run([ 'valgrind', '--tool=callgrind', "--callgrind-out-file=$folder/counted", $program, '--json', '--threads', 1, @options, "$folder/model.stl" ],
		'<', \'', '>', \$out, '2>', \$err)
	  or die "valgrind failed: $err";
	like($out, qr/"watertight":true/, 'measured under valgrind');
	run([ 'callgrind_annotate', '--inclusive=yes', '--threshold=100', '--auto=no', "$folder/counted" ], '>', \$out, '2>', \$err)
	  or die "callgrind_annotate failed: $err";
	foreach my $step (@steps)
	{
		($cost{$step}) = $out =~ /^\s*([\d,]+)[^\n]*[:\s]\Q$step\E(?:\s|$)/m;
		$cost{$step} =~ tr/,//d if defined $cost{$step};
	}
	return %cost;
}

my @picture = ('--picture', "$folder/picture.png");

foreach my $kind ([ 'ordered', 0, '--basic' ], [ 'shuffled', 1, '--basic' ], [ 'everything', 0, @picture ], [ 'everything, of few', 0, @picture ])
{
	my ($name, $shuffled, @options) = @$kind;

	# The weld remembers 16,384 corners: a model in no order costs less per
	# triangle while all of its corners are among them, so it begins beyond.
	my ($rows, $columns) = $name =~ /few/ ? (60, 40) : $shuffled ? (200, 100) : (100, 100);
	my %one = cost(torus($rows, $shuffled, $columns), @options);
	my %two = cost(torus(2 * $rows, $shuffled, $columns), @options);

	ok(defined $one{$_}, "$name: $_ is counted") foreach @always, $name =~ /everything/ ? @whole : ();
	foreach my $step (@steps)
	{
		next if ($one{$step} // 0) < $small;
		cmp_ok($two{$step}, '<=', $most * $one{$step},
			sprintf('%s: %s costs %.2f times as much (%.0f per triangle)', $name, $step, $two{$step} / $one{$step}, $two{$step} / (4 * $rows * $columns)));
	}
}

done_testing();
