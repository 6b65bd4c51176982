# Copyright (C) the tscast authors

use strict;
use warnings;

# Pushes over http:// to targets of all kinds: those that take it, know nothing
# of Expect, are down, slow, refuse at once or in the middle.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my (%server, @links);


sub answer {
    my ($sock, $status, @lines) = @_;

    return TSCast::Net::put($sock, join "\r\n", "HTTP/1.1 $status", @lines,
                                        '', '');
}


sub push_to {
    my ($name, $code, $options, %opt) = @_;

    $server{$name} = TSCast::Server->new($code, %opt);

    push @links, "push live/cam http://127.0.0.1:" . $server{$name}->port
                 . "/$name/\$name reconnect=100ms..300ms timeout=4s "
                 . ($options // '') . ';';
}


# the body, when the last chunk has come; written where the test finds it

my $dir = File::Temp::tempdir('tscast-XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub take {
    my ($name, $sock) = @_;

    my $in = '';

    until ($in =~ /\r\n0\r\n\r\n\z/) {
        my $bytes = TSCast::Net::get($sock, 20);

        last if !defined $bytes || $bytes eq '';
        $in .= $bytes;
    }

    open my $out, '>', "$dir/$name.part" or die $!;
    binmode $out;
    print $out $in;
    close $out;
    rename "$dir/$name.part", "$dir/$name";
}


sub taken {
    my ($name) = @_;

    TSCast::Net::until_true(5, sub { -e "$dir/$name" }) or return;

    open my $in, '<', "$dir/$name" or die $!;
    binmode $in;
    local $/;

    my ($raw, $body) = (scalar <$in>, '');

    while ($raw =~ s/\A([0-9a-f]+)\r\n//) {
        my $n = hex $1;

        last if $n == 0;

        $body .= substr $raw, 0, $n, '';
        $raw =~ s/\A\r\n// or return 'broken chunk';
    }

    return $raw eq "\r\n" ? $body : 'no last chunk';
}


push_to(good => sub {
    answer($_[0], '100 Continue');
    take('good', $_[0]);
    answer($_[0], '204 No Content');
});
push_to(quiet => sub {
    take('quiet', $_[0]);
    answer($_[0], '200 OK', 'Content-Length: 0');
}, 'method=PUT "header=X-Key: 1" "header=Content-Type: x/y"');
push_to(rude => sub {
    answer($_[0], '100 Continue');
    take('rude', $_[0]);
});

my %bad = (
    busy => [sub { answer($_[0], '409 Conflict') },
             'its stream has a publisher, status 409'],
    forbidden => [sub { answer($_[0], '403 Forbidden') },
                  'it refuses the link, status 403'],
    unwell => [sub { answer($_[0], '500 Oh') },
               'the peer does not want it, status 500'],
    loop => [sub { answer($_[0], '508 Loop') },
             'the links form a loop, status 508'],
    moved => [sub { answer($_[0], '307 Moved', 'Location: /x') },
              'the peer does not want it, status 307'],
    early => [sub { answer($_[0], '200 OK') }, 'it takes no more, status 200'],
    later => [sub {
        answer($_[0], '100 Continue');
        TSCast::Net::get($_[0], 5);
        answer($_[0], '409 Conflict');
    }, 'its stream has a publisher, status 409'],
    html => [sub { TSCast::Net::put($_[0], '<html>') },
             'it does not speak HTTP'],
    gone => [sub { }, 'the peer has closed the connection'],
    cut => [sub {
        answer($_[0], '100 Continue');
        TSCast::Net::get($_[0], 5);
        TSCast::Net::reset_close($_[0]);
    }, 'closed the connection|broken|sending failed'],
    stuck => [sub { answer($_[0], '100 Continue'); sleep 60 },
              'the peer takes nothing', 'timeout=500ms', rcvbuf => 4096],
);

push_to($_, $bad{$_}[0], $bad{$_}[2]) for sort keys %bad;

my $down = TSCast::Net::free_port();

push @links, "push live/cam http://127.0.0.1:$down/ reconnect=100ms..300ms;";

my $ngx = TSCast::Nginx->new(
    tscast => join("\n", 'node here; zone live 16m window=2s;', @links),
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest;
        }
END_OF_CONF
)->start;

my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 8_000_000);
my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam',
                               headers => ['TSCast-Via: studio, van']);
my $all = $ts->take(0.4);

$p->send($all);
ok($ngx->wait_log(qr/"live\/cam" is published/), 'published');

my $v = TSCast::Reader->http(port => $ngx->port, path => '/all/cam',
                             keep => 0);

# until each of those that can be tried again was

my $done = TSCast::Net::until_true(30, sub {
    my $bytes = $ts->frame;

    $all .= $bytes;
    $p->send($bytes) or die 'cut';
    TSCast::Reader::pump(0.02, sub { 0 }, $v);

    return $ngx->error_log =~ m{the peer takes nothing .*"http:[^"]*/stuck}
           && !grep { $_ ne 'stuck' && $server{$_}->requests < 3 } keys %bad;
});

ok($done, 'those that fail are tried again, and one that takes nothing left');

is($p->finish->status, 204, 'the publisher has seen nothing of it');

for my $name (qw(good rude quiet)) {
    my $body = taken($name);
    my $check = TSCast::Check->new->feed($body);

    is($check->faults, '', "$name: without a fault");
    ok($check->opens_well, "$name: from a key frame on");

    # tables of our own come first

    ok(length $body > 376 && index($all, substr $body, 376) >= 0,
       "$name: byte for byte");
    is($check->{high}, $ts->{serial} - 1, "$name: up to the end");
}

{
    my ($good) = $server{good}->requests;
    my ($quiet) = $server{quiet}->requests;
    my $port = $server{good}->port;

    is($good, "POST /good/cam HTTP/1.1\r\nHost: 127.0.0.1:$port\r\n"
              . "User-Agent: tscast\r\nContent-Type: video/mp2t\r\n"
              . "TSCast-Via: studio, van, here\r\n"
              . "Transfer-Encoding: chunked\r\n"
              . "Expect: 100-continue\r\nConnection: close\r\n\r\n",
       'the request');
    like($quiet, qr{^PUT /quiet/cam HTTP/1.1\r\n}, 'by PUT');
    like($quiet, qr/\r\nX-Key: 1\r\n/, 'with a header');
    is(join(' ', $quiet =~ /Content-Type: (\S+)/g), 'x/y', 'and another type');
}

for my $name (sort keys %bad) {
    my @lines = grep { m{:\d+/$name/} && /\[(error|warn)\]/ }
                split /\n/, $ngx->error_log;

    is(scalar @lines, 1, "$name: one line");
    like($lines[0] // '', qr/$bad{$name}[1]/, 'that says what is wrong');
}

like($ngx->error_log, qr/\[error\].*connect\(\) failed .*127.0.0.1:$down/,
     'one that is not there');
unlike($ngx->error_log, qr/\[error\].*(?:good|quiet|rude)\//,
       'and no word of the good ones');

$v->wait_bytes(length $all);
is($v->faults, '', 'nor has a viewer seen anything of it');
$_->close for $p, $v;

$ngx->stop;
$_->end for values %server;

done_testing;
