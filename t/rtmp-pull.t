# Copyright (C) the tscast authors

use strict;
use warnings;

# A pull over RTMP: what is published to the far server is played here, also
# again and after whatever the far server says.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::Compare;
use TSCast::FLV;
use TSCast::RTMP;
use TSCast::RTMPServer;
use TSCast::Status;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;
plan skip_all => 'no ffmpeg' if system('ffmpeg -version > /dev/null 2>&1');

my $far = TSCast::RTMPServer->new;

# one worker, where players and publishers find each other

my $origin = TSCast::Nginx->new(
    workers => 1,
    tscast => 'zone none 1m;',
    main => TSCast::RTMP::load() . <<'END_OF_CONF',
rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$PORT_1;
        out_queue 4096;

        application far { live on; }
    }
}
END_OF_CONF
)->start;

my $port = $origin->other_port(1);

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => <<"END_OF_CONF",
        zone live 32m window=20s;

        pull live/cam rtmp://127.0.0.1:$port/far/cam reconnect=50ms..50ms
                      timeout=20s;
        pull live/hand rtmp://127.0.0.1:$far->{port}/a/b/hand?k=\$name
                       reconnect=50ms..50ms timeout=1s;
        pull live/want-* rtmp://127.0.0.1:$far->{port}/far/\$name
                       on_demand reconnect=50ms..50ms linger=0;
END_OF_CONF
    main => TSCast::RTMP::load()
            . 'rtmp { server { listen 127.0.0.1:$PORT_1; } }',
    server => <<'END_OF_CONF',
        location = /status { tscast_status; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=20s;
        }
        location ~ ^/flv/(?<stream>.+)$ {
            tscast_play live/$stream format=flv flv_time=stream;
        }
        location ~ ^/brief/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
);

$ngx->start;

my $dir = $ngx->prefix;
my @tags = TSCast::FLV::make("$dir/av.flv", '-f', 'lavfi', '-i',
    'testsrc=size=320x240:rate=25', '-f', 'lavfi', '-i',
    'anoisesrc=seed=1:amplitude=0.2', '-t', 3, '-c:v', 'libx264', '-preset',
    'veryfast', '-pix_fmt', 'yuv420p', '-g', 25, '-bf', 2, '-c:a', 'aac',
    '-b:a', '64k');


sub link_of {
    my ($name) = @_;

    my ($link) = grep { $_->{stream} eq "live/$name" && $_->{kind} eq 'pull' }
                 @{TSCast::Status::get($ngx)->{links}};

    return $link // {};
}


sub viewer {
    my ($path) = @_;

    my $v;

    TSCast::Net::until_true(8, sub {
        $v->close if $v;
        $v = TSCast::Reader->http(port => $ngx->port, path => $path,
                                  version => '1.0');
        return ($v->wait_head // 0) == 200;
    }) or die "$path does not play";

    return $v;
}


# twice: the second publisher is another feed

for my $round (1, 2) {
    ok(TSCast::Net::until_true(8, sub {
        my $now = () = $origin->error_log =~ /play: name='cam'/g;
        return $now >= $round;
    }), "round $round: it waits at the far side");

    my $p = TSCast::RTMP->new(port => $port, app => 'far',
                              name => 'cam');

    $p->tags(@tags);

    ok(TSCast::Net::until_true(5, sub {
        my $stream = TSCast::Status::stream($ngx, 'live/cam');

        return $stream && $stream->{publishers}{total} == $round;
    }), 'and has the stream');

    is(link_of('cam')->{state}, 'running', 'the link is up');

    my $v = viewer('/brief/cam');

    $p->finish;

    ok(TSCast::Reader::pump(5, sub { $v->{end} }, $v),
       'the stream ends with its publisher');

    open my $out, '>', "$dir/$round.ts" or die $!;
    binmode $out;
    print $out $v->{body};
    close $out;

    if ($round == 1) {
        TSCast::Compare::same('as it was', "$dir/av.flv", "$dir/$round.ts");
        next;
    }

    # what the first one has sent is still there

    my ($in, $both) = map { TSCast::Compare::frames($_) } "$dir/av.flv",
                                                          "$dir/$round.ts";

    ok("@{$both->{video}}" eq "@{$in->{video}} @{$in->{video}}",
       'all pictures come again')
        or diag scalar @{$both->{video}}, ' of ', 2 * @{$in->{video}};
    is(scalar @{$both->{audio}}, 2 * @{$in->{audio}}, 'and the sound');
}

like($ngx->error_log, qr{link is down: the stream has ended, pull: "live/cam"},
     'it says why');


# a far side by hand: words, answers and what they do

sub failure {
    my ($what, $do) = @_;

    my $before = link_of('hand')->{failures} // 0;

    $do->();

    ok(TSCast::Net::until_true(5, sub {
        (link_of('hand')->{failures} // 0) > $before;
    }), "$what: the link fails");

    return link_of('hand')->{error};
}


# the next connection: those that have waited may be given up already

sub fresh {
    while (my $s = $far->accept(raw => 1, deadline => 0)) {
        $s->close;
    }

    return $far->accept;
}


# up to play, which is not answered

sub greet {
    my ($s) = @_;

    my %said;

    for my $name ('connect', 'createStream', 'play') {
        my $m = $said{$name} = $s->command($name) or return;

        $s->result($m->{number}, undef, $name eq 'connect'
            ? { code => 'NetConnection.Connect.Success' } : 3)
            if $name ne 'play';
    }

    return \%said;
}


{
    my $s = fresh();
    my $said = greet($s);

    is($said->{connect}{args}[0]{app}, 'a/b', 'the application');
    is($said->{play}{stream}, 3, 'the stream that was made');
    is_deeply([@{$said->{play}{args}}[0 .. 2]], [undef, 'hand?k=hand', -1000],
              'play has the name, and wants it live');

    $s->status('status', 'NetStream.Play.Reset');
    $s->status('status', 'NetStream.Play.Start');

    $s->_message(6, $_->{type}, $_->{time}, 3, $_->{body}) for @tags[0 .. 99];

    my $v = viewer('/live/hand');

    is(failure('the end', sub {
        $s->status('status', 'NetStream.Play.UnpublishNotify');
    }), 'the stream has ended', 'as told');

    $s->close;
    $v->close;
}

# FLV: what the far side has sent, not what could be made of packets

{
    my ($meta, @opening) = grep { $_->{type} == $TSCast::FLV::SCRIPT
                                  || TSCast::FLV::is_config($_) } @tags;
    my @media = grep { $_->{type} != $TSCast::FLV::SCRIPT
                       && !TSCast::FLV::is_config($_) } @tags;

    # a file has an array where nginx-rtmp sends an object

    (my $object = $meta->{body}) =~ s/\A(.{13})\x08.{4}/$1\x03/s;

    my $s = fresh();
    my $send = sub {
        $s->_message(6, $_->{type}, $_->{time}, 3, $_->{body}) for @_;
    };

    greet($s);
    $s->status('status', 'NetStream.Play.Start');
    $send->({ %$meta, body => $object }, @opening);

    ok(TSCast::Status::until_stream($ngx, 'live/hand', sub {
        $_[0]{publisher}
    }), 'there is a stream');

    my $v = TSCast::Reader->http(port => $ngx->port, path => '/flv/hand',
                                 flv => 1, uncounted => 1);

    ok($v->wait_head == 200, 'that can be watched');
    $send->($media[0]);

    my $n = sub { scalar grep { $_->{type} != $TSCast::FLV::SCRIPT
                                && !$_->{config} } @{$v->{check}{tags}} };

    ok(TSCast::Reader::pump(5, sub { $n->() }, $v), 'from its first picture');
    $send->(@media[1 .. $#media]);
    ok(TSCast::Reader::pump(5, sub { $n->() == @media }, $v), 'to the last');

    my ($told, @got) = TSCast::FLV::read_file(
                           $ngx->write_file('got.flv', $v->{body}));

    (my $array = $meta->{body}) =~ s/\A(.{14}).{4}/$1\0\0\0\0/s;

    ok($told->{body} eq $array, 'its metadata, as an array');

    my $words = sub {
        map { join ' ', @$_{qw(type time)}, unpack 'H*', $_->{body} } @_;
    };

    my @head = splice @got, 0, scalar @opening;

    ok("@{[map { $_->{body} } @head]}" eq "@{[map { $_->{body} } @opening]}",
       'its sequence headers');
    is_deeply([$words->(map { { %$_, time => $_->{time} - 1000 } } @got)],
              [$words->(@media)], 'and its tags at their times');
    is($v->faults, '', 'without a fault');

    $s->close;
    $v->close;
}

my ($header) = grep { TSCast::FLV::is_config($_) && $_->{type} == 9 } @tags;

for my $case (
    ['no such stream',
     qr/^play is refused: NetStream.Play.StreamNotFound "x"$/,
     sub { $_[0]->status('error', 'NetStream.Play.StreamNotFound', 'x') }],
    ['closed', qr/^the peer has closed the connection, asked for play$/,
     sub { $_[0]->close }],
    ['no media', qr/^no answer$/,
     sub { $_[0]->status('status', 'NetStream.Play.Start') }],
    ['nothing comes any more', qr/^nothing comes$/, sub {
         my ($s) = @_;

         $s->status('status', 'NetStream.Play.Start');
         $s->_message(6, $_->{type}, $_->{time}, 3, $_->{body})
             for @tags[0 .. 99];
     }],
    ['a codec that is not for packets',
     qr/^audio codec "\w+" cannot be carried in a transport stream$/, sub {
         my ($s) = @_;

         $s->status('status', 'NetStream.Play.Start');
         $s->_message(4, 8, 0, 3, "\xb2" . 'x' x 40);
     }],
    ['broken frames', qr/^(the peer has closed the connection|this is no.*)$/,
     sub {
         my ($s) = @_;

         $s->status('status', 'NetStream.Play.Start');
         $s->_message(6, 9, 0, 3, $header->{body});
         $s->_message(6, 9, 40, 3, "\x17\x01\0\0\0\xff\xff\xff\xff" . 'x' x 9);
         $s->_message(6, 9, 80, 3, "\x17");
         $s->_message(6, 9, 80, 3, '');
         shutdown $s->{sock}, 1;
     }],
    ['it publishes', qr/^(the peer has closed the connection|this is no).*/,
     sub {
         my ($s) = @_;

         $s->say('connect', 1, { app => 'far' });
         $s->say('publish', 1, undef, 'other', 'live');
         shutdown $s->{sock}, 1;
     }])
{
    my ($name, $error, $do) = @$case;

    # what is closed before has failed by the time that it asks to play

    my $s = fresh();

    greet($s);
    like(failure($name, sub { $do->($s) }), $error, $name);

    $s->close;
}

like($ngx->error_log, qr/a message is left out: a frame is cut off/,
     'what cannot be read is left out, and said');

# on demand: what the far side has not is not waited for

{
    my $v = TSCast::Reader->http(port => $ngx->port, path => '/live/want-a');

    for (1 .. 9) {
        my $s = $far->accept or last;
        my $m = greet($s) or next;

        if ($m->{play}{args}[1] ne 'want-a') {
            $s->close;
            next;
        }

        $s->status('error', 'NetStream.Play.StreamNotFound');
        $s->command('none');
        $s->close;
        last;
    }

    is($v->wait_head(5), 404, 'a viewer hears that there is none');
    $v->close;
}

$ngx->stop;
$origin->kill_node;

done_testing();
