# Copyright (C) the tscast authors

use strict;
use warnings;

# Pulls over http:// from servers of all kinds: bodies, redirects, requests,
# answers that are none, and servers that misbehave.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $ts = TSCast::bytes('seconds=2 gop=0.4');
my (%server, @links);


sub answer {
    my ($sock, $status, @lines) = @_;

    return TSCast::Net::put($sock, join "\r\n", "HTTP/1.1 $status", @lines,
                                        '', '');
}


# the first connection is served, the others are held: what was published
# stays as it is

sub once {
    my ($code) = @_;

    return sub {
        my ($sock, $head, $n) = @_;

        $n ? TSCast::Net::get($sock, 60) : $code->($sock, $head);
    };
}


# chunks of odd sizes

sub chunks {
    my ($bytes) = @_;

    my $out = '';
    my $n = 0;

    for (my $at = 0; $at < length $bytes; ) {
        my $piece = substr $bytes, $at, (1, 2, 187, 70_000, 15)[$n % 5];

        $out .= sprintf $n % 2 ? "%x;name=\"value\"\r\n" : "%04X\r\n",
                        length $piece;
        $out .= "$piece\r\n";
        $at += length $piece;
        $n++;
    }

    return $out;
}


sub pull {
    my ($name, $code, $options, %opt) = @_;

    $server{$name} = TSCast::Server->new($code, %opt);

    my $port = $server{$name}->port;
    my $path = $opt{path} // '/$name';

    push @links, "pull live/$name http://127.0.0.1:$port$path"
                 . " reconnect=100ms..300ms timeout=4s " . ($options // '')
                 . ';';
}


# bodies

my %body = (
    chunked => once(sub {
        answer($_[0], '200 OK', 'Transfer-Encoding: Chunked');
        TSCast::Net::put($_[0], chunks($ts) . "0\r\nX-A: b\r\n\r\n");
    }),
    bytewise => once(sub {
        my $head = "HTTP/1.1 200 OK\r\ntransfer-encoding:chunked \r\n\r\n";
        my $all = $head . chunks(substr $ts, 0, 1880);

        TSCast::Net::put($_[0], $_) for split //, $all;
        TSCast::Net::put($_[0], chunks(substr $ts, 1880) . "0\r\n\r\n");
    }),
    length => once(sub {
        answer($_[0], '200 OK', 'Content-Type: video/mp2t',
               'Content-Length: ' . length $ts);
        TSCast::Net::put($_[0], $ts);
    }),
    close => once(sub {
        answer($_[0], '200');
        TSCast::Net::put($_[0], $ts);
    }),
    http10 => once(sub {
        TSCast::Net::put($_[0], "HTTP/1.0 200 OK\n\n" . $ts);
    }),
    interim => once(sub {
        answer($_[0], '100 Continue');
        answer($_[0], '103 Early Hints', 'Link: </x>');
        answer($_[0], '200 OK');
        TSCast::Net::put($_[0], $ts);
    }),
    long => once(sub {
        answer($_[0], '200 OK', 'X-Long: ' . 'x' x 20_000);
        TSCast::Net::put($_[0], $ts);
    }),
);

pull($_, $body{$_}) for sort keys %body;

# redirects: /5 leads to /4, and so on

my @status = (200, 301, 302, 303, 307, 308);

my $steps = sub {
    my ($sock, $head) = @_;

    my ($step) = $head =~ m{^GET /(\d+) };

    if ($step) {
        answer($sock, "$status[$step] Elsewhere", 'Location: /' . ($step - 1),
               'Content-Length: 0');
        return;
    }

    answer($sock, '200 OK');
    TSCast::Net::put($sock, $ts);
    TSCast::Net::get($sock, 60);
};

pull('five', $steps, '', path => '/5');
pull('six', sub {
    answer($_[0], '307 Temporary Redirect', "Location: /more");
}, '', path => '/');

my $other = TSCast::Server->new(sub {
    answer($_[0], '200 OK');
    TSCast::Net::put($_[0], $ts);
    TSCast::Net::get($_[0], 60);
});

pull('secret', sub {
    my ($sock, $head) = @_;

    answer($sock, '302 Found', $head =~ m{^GET /dir/a}
           ? 'Location: ../b?c=1#d'
           : 'Location: http://127.0.0.1:' . $other->port . '/there');
}, '"header=Authorization: Basic eDp5" "header=User-Agent: mine"',
   path => '/dir/a/$name?x=$name');

# what is no stream

my %bad = (
    silent => [sub { TSCast::Net::get($_[0], 60) }, 'no answer',
               'timeout=500ms'],
    html => [sub {
        answer($_[0], '200 OK', 'Content-Type: text/html');
        TSCast::Net::put($_[0], '<html>');
    }, 'this is no transport stream: text/html'],
    other => [sub {
        answer($_[0], '200 OK', 'Content-Length: 70000');
        TSCast::Net::put($_[0], 'x' x 70_000);
    }, 'no transport stream'],
    endless => [sub {
        TSCast::Net::put($_[0], "HTTP/1.1 200 OK\r\n");
        1 while TSCast::Net::put($_[0], "X-More: and more\r\n" x 100, 1);
    }, 'its header has no end'],
    line => [sub {
        TSCast::Net::put($_[0], "HTTP/1.1 302 Found\r\nLocation: ");
        1 while TSCast::Net::put($_[0], '/more' x 1000, 1);
    }, 'its header has no end'],
    ssh => [sub { TSCast::Net::put($_[0], "SSH-2.0-x\r\n") },
            'it does not speak HTTP'],
    code => [sub { TSCast::Net::put($_[0], "HTTP/1.1 20\r\n\r\n") },
             'its status line is invalid'],
    chunk => [sub {
        answer($_[0], '200 OK', 'Transfer-Encoding: chunked');
        TSCast::Net::put($_[0], "fffffffffffffffff\r\n");
    }, 'its chunks are invalid'],
    gzip => [sub {
        answer($_[0], '200 OK', 'Transfer-Encoding: gzip');
    }, 'its encoding is not known'],
    lengths => [sub {
        answer($_[0], '200 OK', 'Content-Length: 5', 'Content-Length: 6');
    }, 'its header is ambiguous'],
    minus => [sub { answer($_[0], '200 OK', 'Content-Length: -5') },
              'its length is invalid'],
    folded => [sub { answer($_[0], '200 OK', 'X-A: b', ' c') },
               'its header is invalid'],
    closes => [sub { }, 'the peer has closed the connection'],
    raw => [sub { TSCast::Net::reset_close($_[0]) }, 'the peer has closed|'
                                                     . 'failed|broken'],
    nowhere => [sub { answer($_[0], '302 Found') }, 'redirects to nowhere'],
    ftp => [sub { answer($_[0], '302 Found', 'Location: ftp://x/') },
            'it redirects to ftp://'],
    user => [sub { answer($_[0], '302 Found', 'Location: http://a@b/') },
             'it redirects to "http://a@b/"'],
    named => [sub { answer($_[0], '302 Found', 'Location: http://b.test/') },
              'b.test cannot be resolved'],
    missing => [sub { answer($_[0], '404 Not Found') },
                'it has no such stream, status 404'],
    forbidden => [sub { answer($_[0], '403 Forbidden') },
                  'it refuses the link, status 403'],
    unwell => [sub { answer($_[0], '500 Oh') },
               'the peer does not want it, status 500'],
    loop => [sub { answer($_[0], '200 OK', 'TSCast-Via: a, edge,b') },
             'the links form a loop: a, edge,b'],
    way => [sub { answer($_[0], '200 OK', 'TSCast-Via: a b/c') },
            'its header is invalid'],
);

pull($_, $bad{$_}[0], $bad{$_}[2], raw => $_ eq 'raw') for sort keys %bad;

# a stream at first, and then garbage

pull('garbage', once(sub {
    answer($_[0], '200 OK');
    TSCast::Net::put($_[0], $ts);

    1 while TSCast::Net::put($_[0], 'x' x 1000, 1) && !select undef, undef,
                                                       undef, 0.01;
}), 'timeout=700ms');

my $edge = TSCast::Nginx->new(
    tscast => join("\n", 'node edge; zone live 64m;', @links),
    server => <<'END_OF_CONF',
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest;
        }
END_OF_CONF
)->start;


sub viewer {
    my ($name) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->http(port => $edge->port, path => "/all/$name");
        $v->wait_head == 200 or $v->close;
        $v->{status} == 200;
    });

    return $v;
}


for my $name (sort(keys %body), 'five', 'secret') {
    my $v = viewer($name);

    $v->wait_bytes(length $ts, 5);
    ok($v->{body} eq $ts, "$name: byte for byte");
    $v->close;
}

{
    my $v = viewer('garbage');

    $v->wait_bytes(length($ts) - 10 * 188, 5);
    is(index($ts, $v->{body}), 0, 'garbage is not seen');
    $v->close;
}

# what was asked

{
    my ($head) = $server{chunked}->requests;
    my $port = $server{chunked}->port;

    is($head, "GET /chunked HTTP/1.1\r\nHost: 127.0.0.1:$port\r\n"
              . "User-Agent: tscast\r\nAccept: */*\r\nTSCast-Via: edge\r\n"
              . "Connection: close\r\n\r\n", 'the request');

    my ($first, $second) = $server{secret}->requests;

    like($first, qr{^GET /dir/a/secret\?x=secret HTTP/1.1\r\n},
         'the name of the stream in a path');
    like($first, qr/\r\nAuthorization: Basic eDp5\r\n/, 'a header');
    like($first, qr/\r\nUser-Agent: mine\r\n/, 'another');
    unlike($first, qr/User-Agent: tscast/, 'instead of our own');
    like($second, qr{^GET /dir/b\?c=1 HTTP/1.1\r\n}, 'relative redirect');
    like($second, qr/\r\nAuthorization: Basic eDp5\r\n/, 'the same server');

    my ($there) = $other->requests;

    like($there, qr{^GET /there HTTP/1.1\r\n}, 'absolute redirect');
    unlike($there, qr/Authorization|mine/, 'no secrets for another server');
    is(join(' ', map { m{^GET /(\S+)} } ($server{five}->requests)[0 .. 5]),
       '5 4 3 2 1 0', 'five redirects');
}

# each of the others has one line, however often it is tried

ok($edge->wait_log(
       qr{\[error\].*it redirects more than 5 times, pull: "live/six"}),
   'six redirects');
ok($edge->wait_log(qr/\[error\].*nothing comes .*"live\/garbage"/),
   'nothing but garbage: as silence');

for my $name (sort keys %bad) {
    $server{$name}->wait_requests(3, 10);

    my @lines = grep { m{"?live/$name"} && /\[(error|warn)\]/ }
                split /\n/, $edge->error_log;

    ok($server{$name}->requests >= 3, "$name: it is tried again");

    # the hub has a line of its own about bytes that are no stream

    is(scalar @lines, $name eq 'other' ? 2 : 1, "$name: one line");
    like($lines[0] // '', qr/$bad{$name}[1]/, 'that says what is wrong');
}

$edge->stop;

$_->end for $other, values %server;

# ffmpeg's own server

SKIP: {
    skip 'no ffmpeg', 3 if system('ffmpeg -version > /dev/null 2>&1');

    my $port = TSCast::Net::free_port();

    $edge = TSCast::Nginx->new(
        tscast => "zone live 16m; pull live/cam http://127.0.0.1:$port/x.ts"
                  . ' reconnect=100ms;',
        server => 'location /all/ { tscast_play live/cam start=oldest'
                  . ' linger=0; }',
    )->start;

    my $file = $edge->write_file('errors', '');
    my ($to, $pid) = TSCast::Publisher::command($file, qw(ffmpeg -v error -re
        -f lavfi -i testsrc=size=160x120:rate=25 -t 4 -c:v mpeg2video -g 25
        -f mpegts -listen 1), "http://127.0.0.1:$port/x.ts");

    my $v = viewer('cam');

    is($v->wait_end(15), 'complete', 'a stream of ffmpeg ends');
    is($v->faults, '', 'without a fault');
    is($v->{check}->opening, 'PAT PMT key', 'it began as it should');

    TSCast::Publisher::wait_for($pid);
    $v->close;
    $edge->stop;
}

done_testing;
