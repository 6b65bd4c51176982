# Copyright (C) the tscast authors

package TSCast;

# What the tests in t/ share.  A data file begins
#
#     use FindBin;
#     use lib "$FindBin::Bin/lib";
#     use TSCast;
#     use Test::Nginx::Socket 'no_plan';
#
#     add_block_preprocessor(\&TSCast::preprocess);
#     run_tests();
#
# and a scenario
#
#     use Test::More;
#     use TSCast;
#
#     my $ngx = TSCast::Nginx->new(...)->start;
#
# This module makes the stand-in for Test::Nginx found where the real one is
# not installed, gives each test file a port and a folder of its own, and names
# the modules that nginx loads.
#
# A block may have a section
#
#     --- publish: /push/cam gop=2s seconds=6 ahead=3
#
# with a line for each publisher: the location, options of TSCast::TS, and
#
#     ahead=N    seconds that are published before the block's request; the
#                rest follows when that request has arrived (default: all)
#     method=M   POST
#     length=1   with Content-Length instead of chunks
#     split=N    in pieces of N bytes
#     status=N   what is answered (204); 0: nothing
#     hold=1     the publisher stays when it has nothing more to send

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::MD5 qw(md5_hex);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More ();

our $ROOT;

BEGIN {
    $ROOT = abs_path(dirname(__FILE__) . '/../..');

    # last, so that an installed Test::Nginx wins

    push @INC, "$ROOT/t/lib/standin";
}

use TSCast::Check;
use TSCast::Control;
use TSCast::Datagrams;
use TSCast::DNS;
use TSCast::FLV;
use TSCast::Hook;
use TSCast::HTTP2;
use TSCast::Net;
use TSCast::Netns;
use TSCast::Nginx;
use TSCast::Peer;
use TSCast::Publisher;
use TSCast::Reader;
use TSCast::Server;
use TSCast::Status;
use TSCast::TLS;
use TSCast::TS;
use TSCast::UDP;
use TSCast::WebSocket;

my @HELD;


# read by Test::Nginx::Util when it is loaded, which is later

if (!defined $ENV{TEST_NGINX_SERVROOT}) {
    $ENV{TEST_NGINX_SERVROOT} =
        tempdir('tscast-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/servroot';
}

$ENV{TEST_NGINX_PORT} ||= $ENV{TEST_NGINX_SERVER_PORT}
                          || TSCast::Net::free_port();
$ENV{TEST_NGINX_LOAD_MODULES} //= join ' ', TSCast::Nginx::modules();
$ENV{TEST_NGINX_LOG_LEVEL} ||= 'info';
$ENV{PATH} .= ':/usr/sbin:/sbin';


# the media of other encoders, not part of the tree

sub media_dir {
    return abs_path("$ROOT/../shared/media");
}


# TSCast::TS from a line of options

sub stream {
    my ($options) = @_;

    return TSCast::TS->new(map { /^(\w+)=(.*)$/ ? ($1, $2) : () }
                           split ' ', $options // '');
}


# the bytes that "--- publish: /path OPTIONS" publishes, and their digest

sub bytes {
    return stream(@_)->all;
}


sub md5 {
    return md5_hex(bytes(@_));
}


# filter of a response body: one line about a stream

sub describe {
    my ($body) = @_;

    return TSCast::Check->new->feed($body)->describe;
}


# turns our sections into those that Test::Nginx has

sub preprocess {
    my ($block) = @_;

    if (defined(my $publish = $block->publish)) {
        my $init = defined $block->init ? $block->init : '';

        $publish =~ s/^\s+|\s+$//g;
        $block->set_value(init => "TSCast::publish('$publish');\n$init");
    }

    # the real one warns of lines at these levels that nobody expects

    if (defined $block->must_die && defined $block->error_log
        && !ref $block->error_log)
    {
        $block->set_value(error_log => $block->error_log . "\n[emerg]");
    }

    # what no log may hold

    if (!defined $block->must_die) {
        my $no = $block->no_error_log;
        my @no = !defined $no ? () : ref $no eq 'ARRAY' ? @$no
                 : ref $no ? $no : split /\n+/, $no;

        my $allowed = $block->allow_log // '';

        push @no, grep { index($allowed, $_) < 0 }
             '[alert]', '[crit]', '[emerg]', 'Sanitizer', 'runtime error';

        $block->set_value(no_error_log => \@no);
    }
}


# runs in --- init, within Test::Nginx

sub publish {
    my ($lines) = @_;

    my $port = $ENV{TEST_NGINX_PORT};

    _release();

    for my $line (grep { /\S/ } split /\n/, $lines) {
        my ($path, %opt) = map { /^(\w+)=(.*)$/ ? ($1, $2) : $_ }
                           split ' ', $line;

        _publish_one($port, $path, \%opt, stream($line));
    }
}


sub _publish_one {
    my ($port, $path, $opt, $ts) = @_;

    my $all = delete $opt->{length} ? $ts->all : undef;

    my $p = TSCast::Publisher->new(
        port => $port, path => $path, method => $opt->{method} || 'POST',
        defined $all ? (length => length $all) : (),
        $opt->{split} ? (split => $opt->{split}) : (),
    );

    if (defined $opt->{ahead}) {
        $p->send($ts->take($opt->{ahead}));
        _wait_until_taken($p, $port);

        push @HELD, $p->run_in_background(sub {
            _wait_for_viewer($p, $port);
            $p->send($ts->all);
            $opt->{hold} ? sleep 60 : $p->finish->status;
        });

        return;
    }

    $p->send($all // $ts->all);

    if ($opt->{hold}) {
        _wait_until_taken($p, $port);
        push @HELD, $p;
        return;
    }

    my $status = $opt->{status} // 204;

    Test::More::is($p->finish->status, $status, "$path is answered $status");
    $p->close;
}


# publishers of the block before

sub _release {
    for my $p (splice @HELD) {
        ref $p ? $p->close : TSCast::Publisher::end($p);
    }
}


# nginx has read all that was sent, and has been round its loop since

sub _wait_until_taken {
    my ($p, $port) = @_;

    my $client = $p->{sock}->sockport;

    TSCast::Net::until_true(3, sub {
        my @c = TSCast::Net::connections($port);

        return grep { $_->{peer} == $client && !$_->{unread} } @c;
    });

    _round_trip($port) for 1 .. 2;
}


sub _wait_for_viewer {
    my ($p, $port) = @_;

    my $client = $p->{sock}->sockport;

    TSCast::Net::until_true(10, sub {
        grep { $_->{peer} != $client && !$_->{unread} }
             TSCast::Net::connections($port)
    });

    _round_trip($port) for 1 .. 2;
}


sub _round_trip {
    my ($port) = @_;

    my $r = TSCast::Reader->http(port => $port, path => '/index.html',
                                 headers => ['Connection: close']);
    $r->wait_end(3);
    $r->close;
}


END {
    local ($?, $!);

    _release();
}


1;
