# Reads a PNG with a palette, strictly: what is not as it must be is told.
package MesflowPng;
use strict;
use warnings;
use Compress::Zlib qw(crc32 uncompress);

# {side, bytes, alpha => [of each pixel], trouble}.
sub read_png
{
	my ($png) = @_;
	my %picture = (bytes => length($png), alpha => [], trouble => '');
	my ($header, @alpha, $colours);
	my $data = '';
	my $at = 8;

	return { %picture, trouble => 'no signature' } unless substr($png, 0, 8) eq "\x89PNG\r\n\x1a\n";
	while ($at + 12 <= length($png))
	{
		my ($length, $type) = unpack('NA4', substr($png, $at, 8));
		my $body = substr($png, $at + 8, $length);
		return { %picture, trouble => "check sum of $type" }
		  unless crc32($type . $body) == unpack('N', substr($png, $at + 8 + $length, 4));
		$header = $body if $type eq 'IHDR';
		$colours = $length / 3 if $type eq 'PLTE';
		@alpha = unpack('C*', $body) if $type eq 'tRNS';
		$data .= $body if $type eq 'IDAT';
		$at += 12 + $length;
		last if $type eq 'IEND';
	}
	return { %picture, trouble => 'bytes beyond its end' } unless $at == length($png) && $header && $colours;
	my ($width, $height, @kind) = unpack('NNC5', $header);
	return { %picture, trouble => "a header of $width x $height, @kind" } unless $width == $height && "@kind" eq '8 3 0 0 0';
	my $raw = uncompress($data) // '';
	return { %picture, trouble => 'length of its pixels' } unless length($raw) == $height * ($width + 1);
	foreach my $row (0 .. $height - 1)
	{
		my ($filter, @pixels) = unpack('C*', substr($raw, $row * ($width + 1), $width + 1));
		return { %picture, trouble => 'a filter' } if $filter != 0;
		return { %picture, trouble => 'a colour that is none' } if grep { $_ >= $colours } @pixels;
		push @{ $picture{alpha} }, map { $_ < @alpha ? $alpha[$_] : 255 } @pixels;
	}
	$picture{side} = $width;
	return \%picture;
}

# How many of its pixels are opaque; clear in its corners, or -1.
sub seen
{
	my ($picture) = @_;
	my @alpha = @{ $picture->{alpha} };
	my $side = $picture->{side} // return -1;

	return -1 if grep { $_ != 0 } @alpha[ 0, $side - 1, -$side, -1 ];
	return scalar grep { $_ == 255 } @alpha;
}

1;
