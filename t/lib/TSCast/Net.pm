# Copyright (C) the tscast authors

package TSCast::Net;

# Sockets with deadlines: connects are retried, nothing waits for ever.

use strict;
use warnings;
use feature 'state';

use Carp qw(croak);
use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Poll qw(POLLIN POLLOUT POLLERR POLLHUP);
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_RCVBUF SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep time);

our $DEADLINE = 10;


# a free TCP port of 127.0.0.1, which no other test is given

sub free_port {
    for (1 .. 100) {
        my $port = 10_000 + int rand 22_000;    # below the ephemeral ones

        next if !claim_port($port);

        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                      LocalPort => $port, Listen => 1)
            or next;

        close $s;

        return $port;
    }

    die "no free port: $!";
}


# takes a port, of TCP and UDP, from all other tests on this machine until this
# one ends: what it means to listen on later, or nobody at all, stays free.
# False when another has it.  The claim is a name among the abstract UNIX
# sockets.

sub claim_port {
    my ($port) = @_;

    state %claims;

    return if $claims{$port};

    return $claims{$port} = IO::Socket::UNIX->new(
        Type => SOCK_DGRAM, Local => "\0tscast-test-port-$port");
}


# connects to a port of 127.0.0.1 or to the path of a UNIX socket; a small
# rcvbuf makes a reader that is soon full

sub dial {
    my ($to, %opt) = @_;

    my $end = time + ($opt{deadline} // $DEADLINE);

    for ( ;; ) {
        my $s = $to =~ m{/} ? IO::Socket::UNIX->new(Peer => $to)
                            : _dial_tcp($to, $opt{rcvbuf});

        if ($s) {
            binmode $s;
            return $s;
        }

        die "cannot connect to $to: $!" if time > $end;

        sleep 0.02;
    }
}


sub _dial_tcp {
    my ($port, $rcvbuf) = @_;

    my $s = IO::Socket::INET->new(Proto => 'tcp', Type => SOCK_STREAM)
        or return;

    # before connect, or the window is already offered

    setsockopt $s, SOL_SOCKET, SO_RCVBUF, pack 'i', $rcvbuf if $rcvbuf;

    connect $s, Socket::pack_sockaddr_in($port, Socket::inet_aton('127.0.0.1'))
        or return;

    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, pack 'i', 1;

    return $s;
}


# writes all of it; false when the peer is gone or the deadline is over

sub put {
    my ($s, $bytes, $deadline) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $end = time + ($deadline // $DEADLINE);
    my $at = 0;

    $s->blocking(0);

    while ($at < length $bytes) {
        my $n = syswrite $s, $bytes, 262_144, $at;

        if (defined $n) {
            $at += $n;
            next;
        }

        next if $! == EINTR;
        return 0 if $! != EAGAIN && $! != EWOULDBLOCK;

        my $left = $end - time;
        return 0 if $left <= 0;

        ready($s, POLLOUT, $left);
    }

    return 1;
}


# what there is to read: bytes, "" at the end, undef when nothing came in time

sub get {
    my ($s, $deadline) = @_;

    my $end = time + ($deadline // $DEADLINE);

    $s->blocking(0);

    for ( ;; ) {
        my $n = sysread $s, my $bytes, 262_144;

        return $bytes if defined $n;
        return '' if $! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR;

        my $left = $end - time;
        return undef if $left <= 0;

        ready($s, POLLIN, $left);
    }
}


sub ready {
    my ($s, $mask, $timeout) = @_;

    my $poll = IO::Poll->new;

    $poll->mask($s, $mask);

    return $poll->poll($timeout) > 0;
}


# ends a connection with a reset instead of a FIN

sub reset_close {
    my ($s) = @_;

    setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $s;
}


# the established connections of a server on $port: the peer's port and how
# much the server has not read yet

sub connections {
    my ($port) = @_;

    open my $in, '<', '/proc/net/tcp' or die $!;

    local $/ = "\n";

    my $local = sprintf ':%04X', $port;
    my @found;

    while (my $line = <$in>) {
        my @f = split ' ', $line;

        next if @f < 10 || $f[1] !~ /$local\z/ || $f[3] ne '01' || !$f[9];

        push @found, {
            peer => hex((split /:/, $f[2])[1]),
            unread => hex((split /:/, $f[4])[1]),
            inode => $f[9],
        };
    }

    return @found;
}


# inodes of the listening sockets of a port

sub listening {
    my ($port) = @_;

    open my $in, '<', '/proc/net/tcp' or die $!;

    my $local = sprintf ':%04X', $port;

    return map { (split)[9] }
           grep { (split)[1] =~ /$local\z/ && (split)[3] eq '0A' } <$in>;
}


# waits until $what->() is true; the last resort where there is no descriptor
# to wait on

sub until_true {
    my ($deadline, $what) = @_;

    my $end = time + $deadline;

    for ( ;; ) {
        my $rc = $what->();

        return $rc if $rc;
        return $rc if time > $end;

        sleep 0.01;
    }
}


1;
