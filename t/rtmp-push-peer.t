# Copyright (C) the tscast authors

use strict;
use warnings;

# A push over RTMP, word by word: what the far side is told, and what becomes
# of the link when it answers this or that.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::RTMP;
use TSCast::RTMPServer;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;

my $far = TSCast::RTMPServer->new;
my $url = "rtmp://127.0.0.1:$far->{port}";

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => <<"END_OF_CONF",
        zone live 16m window=4s;

        push live/*  $url/app/inst/\$name?key=a/b&n=\$name
                     reconnect=50ms..50ms timeout=1s;
END_OF_CONF
    main => TSCast::RTMP::load() . <<'END_OF_CONF',
rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$PORT_1;
        out_queue 64;
    }
}
END_OF_CONF
    server => <<'END_OF_CONF',
        location = /status { tscast_status; }
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
END_OF_CONF
)->start;

my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);
my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');


sub feed {
    my ($seconds) = @_;

    return $p->send($ts->take($seconds // 0.2));
}


sub link_now {
    return TSCast::Status::get($ngx)->{links}[0] // {};
}


# what the link says of its last failure, once it has failed again

sub failure {
    my ($what, $do) = @_;

    my $before = link_now()->{failures} // 0;

    $do->();

    ok(TSCast::Net::until_true(5, sub {
        feed(0.04);
        (link_now()->{failures} // 0) > $before;
    }), "$what: the link fails");

    return link_now()->{error};
}


feed(1);

# the order and the words of a publisher

{
    my $s = $far->accept;
    my $said = $s->greet;

    is_deeply($said->{connect}{args}, [{
        app => 'app/inst', type => 'nonprivate', tcUrl => "$url/app/inst",
        flashVer => 'FMLE/3.0 (compatible; tscast)',
    }], 'connect has the application');

    is_deeply($said->{publish}{args},
              [undef, 'cam?key=a/b&n=cam', 'live'],
              'publish has the name, and its arguments');
    is($said->{publish}{stream}, 7, 'in the stream that was made');

    my @m = map { $s->message } 1 .. 4;

    is(join(' ', map { $_->{type} } @m), '18 9 8 9',
       'metadata, sequence headers, media');
    is(join(' ', map { $_->{stream} } @m), '7 7 7 7', 'in that stream');
    is($m[3]{time}, 0, 'from 0 on');

    like($m[0]{body}, qr/^\x02\0\x0d\@setDataFrame\x02\0\x0aonMetaData/,
         'metadata is set');
    is(unpack('H4', $m[1]{body}), '1700', 'a sequence header of AVC');
    is(unpack('H4', $m[3]{body}), '1701', 'and a key frame');

    my $last = 0;

    for (1 .. 50) {
        feed(0.04);

        my $m = $s->message or last;

        $last = $m->{time};
    }

    cmp_ok($last, '>', 400, 'and so on');

    like(failure('gone', sub { $s->close }), qr/closed the conn|is broken/,
         'a peer that goes');
}

# answers that are none

for my $case (
    ['connect is rejected', qr/^connect is refused: Net\S+Rejected "no such."$/,
     'connect', sub {
         $_[0]->say('_error', 1, undef, {
             level => 'error', code => 'NetConnection.Connect.Rejected',
             description => "no such\n",
         });
     }],
    ['closed on connect',
     qr/^the peer has closed the connection, asked for connect$/, 'connect'],
    ['createStream fails', qr/^createStream is refused: no code ""$/,
     'createStream', sub { $_[0]->say('_error', 2, undef, undef) }],
    ['a stream that is no number', qr/^this is no RTMP$/, 'createStream',
     sub { $_[0]->result(2, undef, 'seven') }],
    ['the name is taken',
     qr/^publish is refused: NetStream.Publish.BadName "Already \.\.\."$/,
     'publish', sub {
         $_[0]->status('error', 'NetStream.Publish.BadName',
                       qq{Already "\x{c3}\x{7f}});
     }],
    ['an error for another command', qr/^the peer has closed the connection, /,
     'publish', sub { $_[0]->say('_error', 0, undef, undef) }],
    ['huge chunks', qr/^it sends chunks of 2147483647 bytes$/, 'connect',
     sub { $_[0]->_message(2, 1, 0, 0, pack 'N', 0x7fffffff) }],
    ['chunks of nothing', qr/^it sends chunks of 0 bytes$/, 'connect',
     sub { $_[0]->_message(2, 1, 0, 0, pack 'N', 0) }],
    ['garbage', qr/^this is no RTMP$/, 'connect',
     sub { TSCast::Net::put($_[0]{sock}, "\x3f" . "\xff" x 5000) }],
    ['a command without end', qr/^it sends a command of 800010 bytes$/,
     'connect', sub {
         $_[0]->_message(3, 20, 0, 0, "\x02\0\x07_result"
                                      . "\x03\0\x01a" x 200_000);
     }],
    ['a message that does not end', qr/^no answer$/, 'connect',
     sub { TSCast::Net::put($_[0]{sock}, pack('C', 3) . "\0\0\0\0\xff\xff\x14")
     }, 1],
    ['no answer', qr/^no answer$/, 'publish', sub { }, 1],
    ['close', qr/^the peer has had enough$/, 'publish',
     sub { $_[0]->say('close', 0, undef) }],
    ['it connects back', qr/^the peer has closed the connection, /, 'publish',
     sub { $_[0]->say('connect', 1, { app => 'app' }) }])
{
    my ($name, $error, $until, $answer, $keep) = @$case;
    my $s;

    like(failure($name, sub {
        $s = $far->accept;
        $s->greet($until);
        $s->command($until);
        $answer->($s) if $answer;
        $s->close if !$keep;
    }), $error, $name);

    $s->close;
}

for my $case (
    ['no RTMP at all', qr/^this is no RTMP$/,
     "HTTP/1.1 400 Bad Request\r\n\r\n" x 100],
    ['nothing', qr/closed the connection, asked for a handshake$/, ''])
{
    my ($name, $error, $bytes) = @$case;

    like(failure($name, sub {
        my $s = $far->accept(raw => 1);

        TSCast::Net::put($s->{sock}, $bytes);
        TSCast::Net::get($s->{sock});
        $s->close;
    }), $error, $name);
}

is(() = $ngx->error_log =~ /\[error\].*link is down/g, 1,
   'a link that does not get up is logged once');

my ($line) = $ngx->error_log =~ /\[error\].*(link is down.*)/;

is($line =~ s/: the .*? (closed the connection|broken),/: GONE,/r,
   qq{link is down: GONE, push: "live/cam" "$url/app/inst/\$name?key=a/b&n=}
   . qq{\$name", peer: 127.0.0.1:$far->{port}}, 'in the words of links');

# garbage while it runs, and an empty stream of commands

{
    my $s = $far->accept;

    $s->greet;
    $s->message;
    $s->_message(3, 20, 0, 0, $_)
        for '', "\x02", "\x02\xff\xff_result",
            "\x02\0\x07_result" . "\x03" x 99,
            "\x02\0\x08onStatus\0" . 'x' x 8 . "\x05\x03\xff\xff";

    like(failure('garbage', sub {
        TSCast::Net::put($s->{sock}, "\x3f" . "\xff" x 5000);
    }), qr/^the peer answers no ping, or not by RTMP$/, 'garbage on the way');

    $s->close;
}

# a peer that reads nothing

{
    my $s = $far->accept(rcvbuf => 4096);

    $s->greet;


    # by this node, or by its kernel

    like(failure('deaf', sub { feed(3) }),
         qr/^the (peer takes nothing|connection is broken)$/,
         'a peer that reads nothing is left');
    $s->close;
}

# the end

{
    my $s = $far->accept;

    $s->greet;
    $s->message;

    is($p->finish->status, 204, 'the publisher ends');

    is_deeply($s->command('FCUnpublish')->{args},
              [undef, 'cam?key=a/b&n=cam'], 'the far side is told');
    is_deeply($s->command('deleteStream')->{args}, [undef, 7], 'twice');
    ok(!$s->message, 'before the connection ends');

    $s->close;

    ok(TSCast::Net::until_true(5, sub { link_now()->{state} eq 'idle' }),
       'and the link');
}

$ngx->stop;

done_testing();
