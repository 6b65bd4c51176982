# Copyright (C) the tscast authors

use strict;
use warnings;

# Links over RTP: headers and reports as in RFC 3550 and RFC 2250, one sender
# over reloads, datagrams put in order again, and what ffmpeg makes of it.

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $dir = tempdir(CLEANUP => 1);
my $ffmpeg = system('ffmpeg -version > /dev/null 2>&1') == 0;

my $server = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=5s; }
END_OF_CONF


sub pump { return TSCast::Reader::pump(@_) }


sub viewer {
    my ($ngx, $path, $meanwhile) = @_;

    my $v;

    TSCast::Net::until_true(10, sub {
        $meanwhile->();

        $v = TSCast::Reader->http(port => $ngx->port, path => $path,
                                  version => '1.0');
        $v->wait_head(2);

        return 1 if $v->{status} == 200;

        $v->close;

        return 0;
    }) or die "$path does not play\n";

    return $v;
}


# what sends a stream in real time, a little at each call

sub in_real_time {
    my ($ts, $send, @readers) = @_;

    my $start = time - $ts->clock;

    return sub {
        $send->($ts->frame) while $ts->clock < time - $start;
        pump(0.01, sub { 0 }, @readers);
    };
}


# a push: headers, timestamps, reports; over reloads the same sender, without a
# gap

for my $query ('', '?pace=pcr') {
    my $sink = TSCast::UDP->new(rtp => 1);
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => 'zone live 32m window=10s;'
                  . "push live/cam rtp://127.0.0.1:$sink->{port}$query;",
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 2_000_000,
                             time => 95_443);      # PCRs begin anew soon
    my $in = '';
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    my $send = in_real_time($ts, sub { $in .= $_[0]; $p->send($_[0]) }, $sink);

    ok(TSCast::Net::until_true(5, sub { $send->(); @{$sink->{reports}} }),
       "push$query: a report comes");

    my ($first, $began) = ($sink->{timestamp}, $sink->{bytes});

    for my $round (1, 2) {
        my $senders = keys %{$sink->{senders}};

        $ngx->reload(meanwhile => $send);

        ok(TSCast::Net::until_true(5, sub {
            $send->();
            keys %{$sink->{senders}} > $senders;
        }), "reload $round: another worker sends");

        my $n = @{$sink->{reports}};

        ok(TSCast::Net::until_true(8, sub {
            $send->();
            @{$sink->{reports}} > $n;
        }), 'and reports');
    }

    is($sink->{faults} // 0, 0, 'version 2, payload type 33');
    is(scalar keys %{$sink->{ssrc}}, 1, 'one SSRC');
    is($sink->{gaps}, 0, 'no gap in the numbers');
    is($sink->{backward}, 0, 'no timestamp is before the last');
    is($sink->{check}->faults, '', 'no fault in the stream');

    # the last report and what had come then

    my ($ssrc) = keys %{$sink->{ssrc}};
    my ($v, $type, $len, $who, $sec, $frac, $stamp, $packets, $octets)
        = unpack 'C2 n N6', $sink->{reports}[-1];

    is("$v $type $len $who", "128 200 6 $ssrc", 'a sender report');
    cmp_ok(abs($sec - 2_208_988_800 - time), '<', 20, 'of this time');
    cmp_ok($packets, '<=', $sink->{datagrams}, 'with a number of packets');
    cmp_ok($packets, '>', $sink->{datagrams} / 4, 'that is about right');
    cmp_ok($octets, '<=', $sink->{bytes}, 'and of octets');
    cmp_ok($octets, '>', $sink->{bytes} / 4, 'as well');
    cmp_ok($sink->{timestamp} - $stamp + 90_000 & 0xffff_ffff, '<', 900_000,
           'and a timestamp of these');

    my ($source, $sdes, $words, $whom, $item, $n)
        = unpack 'x28 C2 n N C2', $sink->{reports}[-1];

    is("$source $sdes $whom $item", "129 202 $ssrc 1", 'with a CNAME');
    is(length $sink->{reports}[-1], 28 + 4 * ($words + 1), 'of its length');
    like(substr($sink->{reports}[-1], 38, $n), qr/\Acam\@./, 'of the stream');

    # 90 kHz, and so many bytes take so long

    my $ticks = $sink->{timestamp} - $first & 0xffff_ffff;
    my $bytes = $sink->{bytes} - $began;
    my $bitrate = length($in) * 8 / $ts->clock;

    cmp_ok(abs($ticks / 90_000 - $bytes * 8 / $bitrate), '<', 0.5,
           'timestamps are those of the PCRs');

    $_->close for $p, $sink;
    $ngx->stop;
}


# a pull: swapped and late datagrams are put in order, doubled ones dropped,
# lost ones are missing and no others

{
    my $ngx = TSCast::Nginx->new(
        tscast => 'zone live 64m; pull live/cam rtp://127.0.0.1:$PORT_1;',
        server => $server,
    )->start;

    my $port = $ngx->other_port(1);

    ok(TSCast::Net::until_true(5, sub { bound($port) }), 'the pull listens');

    my $source = TSCast::UDP::source($port);
    my $ts = TSCast::TS->new(seconds => 10, gop => 60, bitrate => 2_000_000);
    my @datagrams = TSCast::UDP::rtp($ts->all, sequence => 65_000);

    # one in a hundred is lost; of twenty others some are turned around, one
    # comes twice; the first and the last stay where they are

    my (@order, %lost);

    for my $i (0 .. $#datagrams) {
        if ($i % 100 == 50 && $i < $#datagrams - 100) {
            $lost{$i} = 1;
            next;
        }

        push @order, $i;
        push @order, $i if $i % 77 == 5;
    }

    for (my $i = 30; $i + 20 < @order; $i += 40) {
        @order[$i .. $i + 19] = reverse @order[$i .. $i + 19];
    }

    # something that is no RTP, and another sender meanwhile

    my @strange = ("\x47" x 1316, "\x80\x21", pack('C2 n N2', 0x80, 96, 1, 1, 1)
                                              . "\x47" x 188,
                   TSCast::UDP::rtp("\x47" x 188, ssrc => 99));

    my $n = 0;
    my $some = sub {
        send $source, $datagrams[$order[$n++]], 0 for 1 .. 10;
    };

    my $v = viewer($ngx, '/live/cam', $some);

    while ($n < @order) {
        send $source, $datagrams[$order[$n++]], 0;
        send $source, $strange[$n % @strange], 0 if $n % 50 == 0;
        pump(0.001, sub { 0 }, $v) if $n % 20 == 0;
    }

    my $out = join '', map { $lost{$_} ? () : substr $datagrams[$_], 12 }
                       0 .. $#datagrams;

    ok(pump(5, sub { $v->{bytes} >= length $out }, $v), 'what was sent comes');
    ok($v->{body} eq $out, 'in order, each once');
    cmp_ok(scalar keys %lost, '>', 10, 'but for what is lost');
    is($v->{check}->rest + $v->{check}{sync}, 0, 'in whole packets');

    # a sender with another SSRC, when the first one is silent

    my $bytes = $v->{bytes};
    my $next = TSCast::TS->new(seconds => 0, gop => 0.4, serial => 1 << 20,
                               bitrate => 1_000_000, time => 20);
    my $sequence = 5;
    my $send = in_real_time($next, sub {
        my @d = TSCast::UDP::rtp($_[0], sequence => $sequence, ssrc => 2);

        send $source, $_, 0 for @d;
        $sequence += @d;
    }, $v);

    ok(TSCast::Net::until_true(8, sub {
        $send->();
        $v->{bytes} > $bytes + 100_000;
    }), 'another sender goes on');

    $v->close;
    $ngx->stop;
}


# one node to another, by two workers each

{
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => 'zone live 16m; zone far 16m;'
                  . 'push live/cam rtp://127.0.0.1:$PORT_1;'
                  . 'pull far/cam rtp://127.0.0.1:$PORT_1;',
        server => $server . 'location = /far { tscast_play far/cam; }',
    )->start;

    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);
    my @readers;
    my $send = in_real_time($ts, sub { $p->send($_[0]) });
    my $v = viewer($ngx, '/far', $send);

    ok(pump(5, sub { $send->(); $v->{bytes} > 100_000 }, $v),
       'from zone to zone');
    is($v->{check}->faults, '', 'without a fault');

    $_->close for $p, $v;
    $ngx->stop;
}


# ffmpeg sends, ffprobe receives

SKIP: {
    skip 'no ffmpeg', 9 if !$ffmpeg;

    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => 'zone live 16m;'
                  . 'pull live/rtp rtp://127.0.0.1:$PORT_1;'
                  . 'pull live/udp udp://127.0.0.1:$PORT_2;'
                  . 'push live/rtp rtp://127.0.0.1:$PORT_3;'
                  . 'push live/udp udp://127.0.0.1:$PORT_4;',
        server => $server,
    )->start;

    my @port = map { $ngx->other_port($_) } 0 .. 4;

    for my $kind (qw(rtp udp)) {
        my ($in, $out) = $kind eq 'rtp' ? @port[1, 3] : @port[2, 4];

        TSCast::Net::until_true(5, sub { bound($in) });

        # the receiver first, so that it hears the beginning

        my @input = $kind eq 'udp' ? "udp://127.0.0.1:$out?timeout=8000000"
                    : sdp("$dir/in.sdp", $out);

        my ($probe, $probing) = TSCast::Publisher::command("$dir/$kind.err",
            'sh', '-c', 'exec timeout 15 ffprobe -v error -show_entries '
                        . 'stream=codec_name -of csv=p=0 '
                        . '-protocol_whitelist file,udp,rtp "$0" '
                        . "> $dir/$kind.out", @input);

        TSCast::Net::until_true(5, sub { bound($out) });

        my ($to, $pid) = TSCast::Publisher::command("$dir/$kind.ffmpeg",
            'ffmpeg', qw(-v error -re -f lavfi -i testsrc2=s=320x180:r=25
            -f lavfi -i sine -t 20 -c:v libx264 -preset ultrafast -tune
            zerolatency -g 10 -c:a aac -f), $kind eq 'rtp'
            ? ('rtp_mpegts', "rtp://127.0.0.1:$in")
            : ('mpegts', "udp://127.0.0.1:$in"));

        is(TSCast::Publisher::wait_for($probing, 20), 0,
           "$kind: ffprobe finds a stream");
        is(slurp("$dir/$kind.err"), '', 'without an error');
        like(slurp("$dir/$kind.out"), qr/^h264$/m, 'with the picture');
        like(slurp("$dir/$kind.out"), qr/^aac$/m, 'and the sound');

        TSCast::Publisher::end($pid);
    }

    $ngx->stop;
}


sub sdp {
    my ($file, $port) = @_;

    open my $out, '>', $file or die $!;
    print $out "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\n"
               . "t=0 0\nm=video $port RTP/AVP 33\n";
    close $out;

    return $file;
}


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;

    return scalar(<$in>) // '';
}


sub bound {
    my ($port) = @_;

    open my $in, '<', '/proc/net/udp' or die $!;

    my $hex = sprintf ':%04X', $port;

    return grep { (split)[1] =~ /$hex\z/ } <$in>;
}

done_testing;
