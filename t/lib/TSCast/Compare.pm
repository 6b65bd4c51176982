# Copyright (C) the tscast authors

package TSCast::Compare;

# Is a transport stream what an FLV file was, as ffmpeg sees both?
#
#     TSCast::Compare::same('film', $flv, $ts);       # tests
#
# the same pictures and samples after decoding, at the same times but for one
# constant, within a millisecond; and strict (see TSCast::Strict).

use strict;
use warnings;

use Test::More ();

use TSCast::FLV;
use TSCast::Strict;


# what a command wrote to stdout and stderr

sub said {
    my (@cmd) = @_;

    my $pid = open my $out, '-|';

    defined $pid or die "fork: $!";

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec { $cmd[0] } @cmd or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out> // '';

    close $out;

    return $text;
}


# checksums of decoded frames, by kind of stream: "video" and "audio"

sub frames {
    my ($path) = @_;

    my (%kind, %sums);

    for (split /\n/, said('ffmpeg', '-v', 'error', '-i', $path,
                          '-map', '0:v?', '-map', '0:a?', '-fps_mode',
                          'passthrough', '-f', 'framemd5', '-'))
    {
        $kind{$1} = $2 if /^#media_type (\d+): (\w+)/;
        push @{$sums{$kind{$1} // 'broken'}}, $2 if /^(\d+),.*?(\w+)$/;
    }

    return \%sums;
}


# presentation times of packets, ms

sub packet_times {
    my ($path) = @_;

    my %times;

    for (split /\n/, said('ffprobe', '-v', 'error', '-show_entries',
                          'packet=codec_type,pts_time', '-of', 'csv=p=0',
                          $path))
    {
        push @{$times{$1}}, $2 * 1000 if /^(\w+),(-?[\d.]+)/;
    }

    return \%times;
}


sub same {
    my ($name, $flv, $ts) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Test::More::is(TSCast::Strict->new(TSCast::FLV::slurp($ts))->faults, '',
                   "$name: strict");

    my ($in, $out) = map { frames($_) } $flv, $ts;
    my ($from, $to) = map { packet_times($_) } $flv, $ts;

    Test::More::is(join(' ', sort keys %$out), join(' ', sort keys %$in),
                   "$name: has what it had");

    my @offsets;

    for my $kind (sort keys %$in) {
        my ($n, $m) = map { scalar @{$_->{$kind} // []} } $in, $out;

        Test::More::is($m, $n, "$name: as many frames of $kind");
        Test::More::ok("@{$out->{$kind} // []}" eq "@{$in->{$kind}}",
                       "$name: and the same");

        push @offsets, map { $to->{$kind}[$_] - $from->{$kind}[$_] }
                       0 .. $#{$from->{$kind}};
    }

    @offsets = sort { $a <=> $b } @offsets;

    Test::More::cmp_ok(@offsets ? $offsets[-1] - $offsets[0] : 'inf', '<=', 1,
                       "$name: times are kept");
}


1;
