# Copyright (C) the tscast authors

use strict;
use warnings;

# The tests' own tools: what TSCast::TS makes is a stream, and TSCast::Check
# notices what is wrong with one.

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use TSCast;

my $dir = tempdir(CLEANUP => 1);


sub check {
    return TSCast::Check->new->feed($_[0]);
}


# the CRC of ISO/IEC 13818-1, annex A, of the usual example

is(sprintf('%08x', TSCast::TS::crc32('123456789')), '0376e6e7', 'CRC');

for my $codec (qw(h264 hevc mpeg2 none)) {
    my $ts = TSCast::bytes("seconds=3 codec=$codec");
    my $c = check($ts);

    is($c->faults, '', "$codec: no faults");
    ok($c->opens_well, "$codec: tables and a key frame first");
    is($c->describe, "pid 0 first, 0 discontinuities\n", "$codec: described");
    is($c->{numbers} - $c->{high} - 1, 0, "$codec: all numbers")
        if $codec ne 'none';
    ok($ts eq TSCast::bytes("seconds=3 codec=$codec"),
       "$codec: again the same");
}

is(TSCast::stream('seconds=3 bitrate=376000')->all,
   join('', map { $_->take(1.04), $_->take(9) }
                TSCast::stream('seconds=3 bitrate=376000')), 'in pieces');

# what ffprobe makes of it

SKIP: {
    skip 'no ffprobe', 4 if system('ffprobe -version > /dev/null 2>&1');

    for my $row (['h264', 'h264'], ['hevc', 'hevc'], ['none', 'aac'],
                 ['mpeg2', 'mpeg[12]video'])
    {
        my ($codec, $name) = @$row;

        open my $out, '>', "$dir/$codec.ts" or die $!;
        binmode $out;
        print $out TSCast::bytes("seconds=3 codec=$codec bitrate=1000000");
        close $out;

        my $show = '-show_entries stream=codec_name,start_pts -of csv=p=0';

        like(scalar `ffprobe -v quiet $show $dir/$codec.ts`,
             qr/^$name,90000$/m, "ffprobe finds $codec, a second late");
    }
}

# PCR and PTS go on

{
    my $ts = TSCast::TS->new(seconds => 2, time => 10);
    my $p = (grep { (unpack('x n', $_) & 0x1fff) == 0x100 }
             unpack '(a188)*', $ts->all)[0];
    my ($base, $low) = unpack 'x6 N n', $p;

    is($base << 1 | $low >> 15, 900_000, 'the PCR is ten seconds');
}

# a checker that never complains proves nothing

my $good = TSCast::bytes('seconds=2 bitrate=376000 gop=1');
my @packets = unpack '(a188)*', $good;
my @video = grep { (unpack('x n', $packets[$_]) & 0x1fff) == 0x100 }
            0 .. $#packets;


sub without {
    my (@gone) = @_;

    my %gone = map { $_ => 1 } @gone;

    return join '', map { $gone{$_} ? () : $packets[$_] } 0 .. $#packets;
}


is(check('')->faults, 'empty', 'nothing');
is(check(substr $good, 0, -1)->faults, '187 bytes of a broken packet',
   'half a packet');
like(check(substr $good, 1)->faults, qr/ sync/, 'a byte less at the start');
is(check(without($video[50]))->faults, '1 cc, 1 missing', 'a packet less');
is(check(without(@video[50 .. 65]))->faults, '16 missing',
   'sixteen, that the counter does not show');
is(check(join '', @packets[0 .. $video[50]], $packets[$video[50]],
         @packets[$video[50] + 1 .. $#packets])->faults, '1 doubled',
   'one doubled, which the standard allows');
is(check(join '', @packets[0 .. $video[50]], @packets[$video[40] .. $#packets])
       ->{doubled}, 11, 'eleven doubled');
is(check(without(0))->opens_well, 0, 'no PAT');
is(check(without(1))->opens_well, 0, 'no PMT');
is(check(without($video[0]))->opens_well, 0, 'no start of a key frame');
is(check(join '', @packets[0, 1], @packets[$video[30] .. $#packets])
       ->opening, 'PAT PMT other', 'another picture first');

# a discontinuity that is announced: packets without payload for each PID

{
    my $second = TSCast::bytes('seconds=1 serial=900');
    my $flag = sub {
        my ($pid, $cc) = @_;

        return pack('C n C C C', 0x47, $pid, 0x20 | $cc, 183, 0x80)
               . "\xff" x 182;
    };

    my $c = check($good . join('', map { $flag->($_, 15) }
                               0, 0x1000, 0x100, 0x101) . $second);

    is($c->faults, '360 missing', 'a second feed, announced');
    is($c->{discontinuities}, 1, 'one discontinuity');
    ok($c->opens_well, 'opened well');

    like(check($good . $second)->faults, qr/cc/, 'one that is not announced');
}

# frames of a WebSocket; RFC 6455, 5.7

{
    my $mask = pack 'C*', 0x37, 0xfa, 0x21, 0x3d;

    is(unpack('H*', TSCast::WebSocket::frame(1, 'Hello', mask => $mask)),
       '818537fa213d7f9f4d5158', 'a masked frame');
    is(unpack('H*', TSCast::WebSocket::frame(1, 'Hello', mask => '')),
       '810548656c6c6f', 'an unmasked one');
    is(TSCast::WebSocket::accept_of('dGhlIHNhbXBsZSBub25jZQ=='),
       's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'the accept key');

    my $bytes = join '', map { TSCast::WebSocket::frame(2, 'x' x $_,
                                                        mask => '') }
                         0, 1, 125, 126, 65_535, 65_536;

    my $whole = TSCast::WebSocket->parser;
    my @sizes = map { length $_->[1] } $whole->feed($bytes);

    is("@sizes @{$whole->{faults}}", '0 1 125 126 65535 65536 ', 'all sizes');

    my $split = TSCast::WebSocket->parser;

    @sizes = map { length $_->[1] } map { $split->feed($_) }
             unpack '(a7)*', $bytes;
    is("@sizes", '0 1 125 126 65535 65536', 'in pieces');

    for my $row (['masked', TSCast::WebSocket::frame(2, 'x')],
                 ['reserved bits', TSCast::WebSocket::frame(2, 'x', rsv => 4,
                                                            mask => '')],
                 ['length is not minimal',
                  TSCast::WebSocket::frame(2, 'x', len_as => 16, mask => '')])
    {
        my ($fault, $frame) = @$row;
        my $p = TSCast::WebSocket->parser;

        $p->feed($frame);
        is($p->{faults}[0], $fault, "noticed: $fault");
    }
}


# a port is given to one test only

{
    my $port = TSCast::Net::free_port();
    my $claim = 'use TSCast::Net; exit !!TSCast::Net::claim_port(shift)';

    ok(!TSCast::Net::claim_port($port), 'a port is given once');
    is(system($^X, "-I$FindBin::Bin/lib", '-e', $claim, $port), 0,
       'to one process');
}

done_testing;
