# What the rules here share.  A rule is a Perl script that looks at the
# checkout, names each place that breaks it, and prints TAP.
package Lint;

use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename;
use Test::More;

our @EXPORT = qw(files slurp code_of calls_of places clean done_testing);

chdir(dirname(abs_path(__FILE__)) . '/../..') or die;

# The files below some folders (or the files themselves) whose path matches.
sub files
{
	my ($pattern, @roots) = @_;
	my @found;

	foreach my $root (grep { -e } @roots)
	{
		push @found, -f $root ? $root : split /\n/, `find $root -type f`;
	}
	return sort grep { $_ =~ $pattern } @found;
}

sub slurp
{
	my ($file) = @_;
	open(my $in, '<', $file) or die "$file: $!\n";
	local $/;
	my $text = <$in>;
	return $text // '';
}

# A source without comments and, where asked, without strings, in the same
# lines as before: C, or SQL by its suffix.
sub code_of
{
	my ($file, %option) = @_;
	my $text = slurp($file);
	my $blank = sub { my $part = shift; $part =~ s/[^\n]//g; return $part; };

	if ($file =~ /\.(sql|spec)$/)
	{
		$text =~ s!(--[^\n]*)!$blank->($1)!ge;
		$text =~ s!(/\*.*?\*/)!$blank->($1)!gse;
	}
	else
	{
		# Strings first in the alternation: a comment's sign may be in one.
		$text =~ s!("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(/\*.*?\*/)!
			defined $1 ? ($option{no_strings} ? '""' : $1) : $blank->($2)!gse;
	}
	return $text;
}

# Calls of a function or macro: [line, text between its parentheses] each.
sub calls_of
{
	my ($text, $name) = @_;
	my @calls;

	while ($text =~ /\b$name\s*(\((?:[^()"']++|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?1))*\))/g)
	{
		my ($inside, $before) = ($1, substr($text, 0, $-[0]));
		push @calls, [ 1 + ($before =~ tr/\n//), $inside ];
	}
	return @calls;
}

# The places, as file:line: text, where a pattern matches a text's lines.
sub places
{
	my ($file, $text, $pattern) = @_;
	my ($number, @places) = (0);

	foreach my $line (split /\n/, $text)
	{
		$number++;
		push @places, "$file:$number: " . ($line =~ s/^\s+//r)
		  if $line =~ $pattern;
	}
	return @places;
}

# One rule: passes where no place breaks it.
sub clean
{
	my ($rule, @places) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(!@places, $rule);
	diag(map { "$_\n" } @places) if @places;
	return;
}

1;
