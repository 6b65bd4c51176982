# Copyright (C) the tscast authors

package TSCast::Server;

# An HTTP server by hand, for links to talk to: one connection at a time.
#
#     my $s = TSCast::Server->new(sub {
#         my ($sock, $head, $n) = @_;         # the nth connection, from 0
#         TSCast::Net::put($sock, "HTTP/1.1 404 Not Found\r\n\r\n");
#     });
#
#     ... $s->port ...
#     $s->requests;                           # heads of requests so far
#     $s->end;
#
# When the sub returns, the connection is closed.  Options: port, host (the
# address that it listens on, 127.0.0.1), raw (no request is read), rcvbuf (the
# connections' receive buffer).

use strict;
use warnings;

use File::Temp qw(tempfile);
use IO::Socket::IP;
use Socket qw(SOL_SOCKET SO_RCVBUF SO_REUSEADDR SOCK_STREAM);

use TSCast::Net;
use TSCast::Publisher;


sub new {
    my ($class, $code, %opt) = @_;

    my (undef, $log) = tempfile('server-XXXXXX', TMPDIR => 1, UNLINK => 1);

    my $self = bless {
        port => $opt{port} // TSCast::Net::free_port(), log => $log,
    }, $class;

    my $listen = IO::Socket::IP->new(
        LocalHost => $opt{host} // '127.0.0.1', LocalPort => $self->{port},
        Type => SOCK_STREAM, Listen => 16, ReuseAddr => 1,
    ) or die "cannot listen: $@";

    $listen->setsockopt(SOL_SOCKET, SO_RCVBUF, $opt{rcvbuf}) if $opt{rcvbuf};

    $self->{pid} = TSCast::Publisher::background(sub {
        _run($listen, $code, $log, $opt{raw});
    });

    CORE::close($listen);

    return $self;
}


sub port { return $_[0]{port} }


sub _run {
    my ($listen, $code, $log, $raw) = @_;

    local $SIG{PIPE} = 'IGNORE';

    for (my $n = 0; ; $n++) {
        my $sock = $listen->accept or next;

        binmode $sock;

        my $head = $raw ? "raw\r\n\r\n" : _head($sock);

        open my $out, '>>', $log or die "$log: $!";
        print $out $head;
        CORE::close($out);

        eval { $code->($sock, $head, $n); 1 } or warn $@;

        CORE::close($sock);
    }
}


# byte by byte, so that what follows is still there

sub _head {
    my ($sock) = @_;

    my $head = '';

    $sock->blocking(1);

    while ($head !~ /\r\n\r\n\z/) {
        my $n = sysread $sock, my $byte, 1;

        return "$head\r\n\r\n" if !$n;

        $head .= $byte;
    }

    return $head;
}


sub requests {
    my ($self) = @_;

    open my $in, '<', $self->{log} or die "$self->{log}: $!";
    local $/ = "\r\n\r\n";

    my @heads = <$in>;

    return @heads;
}


# waits for so many requests

sub wait_requests {
    my ($self, $n, $seconds) = @_;

    return TSCast::Net::until_true($seconds // $TSCast::Net::DEADLINE,
                                   sub { $self->requests >= $n });
}


sub end {
    my ($self) = @_;

    TSCast::Publisher::end(delete $self->{pid}) if $self->{pid};
}


1;
