# Copyright (C) the tscast authors

package TSCast::UDP;

# The far end of links over UDP and RTP: a socket that never blocks, for
# TSCast::Reader::pump(), and datagrams of a test's own.
#
#     my $sink = TSCast::UDP->new(rtp => 1);               # of a push
#     TSCast::Reader::pump(5, sub { $sink->{bytes} > 1e6 }, $sink) or die;
#     is $sink->{check}->faults, '';
#
#     my $source = TSCast::UDP::source($port);             # of a pull
#     TSCast::UDP::put($source, $ts->frame, 1316);
#
# Options:
#
#     address   127.0.0.1
#     port      a free one, with a free one behind it
#     rtp       1: each datagram begins with a header of RTP, and what comes
#               to the next port is RTCP
#     keep      0: what comes is not kept in {body}
#     check     0: nor is it looked at
#
# What it has: {datagrams} {bytes}, {sizes}: datagrams by bytes of media,
# {senders}: the same by port, {body}, {check}: a TSCast::Check.  Of RTP:
# {ssrc}: datagrams by SSRC, {sequence} {timestamp}: of the last one, {gaps}:
# numbers that were not one more, {backward}: timestamps before the last,
# {reports}: the compounds of RTCP.

use strict;
use warnings;

use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVBUF sockaddr_in);

use TSCast::Check;
use TSCast::Net;

use constant SO_RCVBUFFORCE => 33;


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        address => '127.0.0.1', keep => 1, rtp => 0,
        %opt,
        datagrams => 0, bytes => 0, sizes => {}, senders => {}, body => '',
        ssrc => {}, gaps => 0, backward => 0, reports => [],
    }, $class;

    $self->{check} = TSCast::Check->new if $opt{check} // 1;

    for (1 .. 100) {
        my $port = $opt{port} // 10_000 + 2 * int rand 11_000;

        next if !$opt{port} && grep { !TSCast::Net::claim_port($port + $_) }
                                    0, 1;

        my ($sock, $control) = map { _socket($self->{address}, $port + $_) }
                               0, 1;

        next if !$sock || !$control;

        @$self{qw(port sock control)} = ($port, $sock, $control);

        return $self;
    }

    die "no free port: $!";
}


sub _socket {
    my ($address, $port) = @_;

    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => $address,
                                  LocalPort => $port, Blocking => 0) or return;

    # a slow test must not lose what nginx has sent

    setsockopt $s, SOL_SOCKET, SO_RCVBUFFORCE, pack 'i', 32 << 20
        or setsockopt $s, SOL_SOCKET, SO_RCVBUF, pack 'i', 4 << 20;

    return $s;
}


sub close {
    my ($self) = @_;

    $_ and CORE::close($_) for delete @$self{qw(sock control)};
    $self->{end} = 'closed';
}


sub read_some {
    my ($self) = @_;

    while (defined(my $from = recv $self->{sock}, my $bytes, 65_536, 0)) {
        $self->{senders}{(sockaddr_in($from))[0]}++;
        $self->_datagram($bytes);
    }

    while (defined recv $self->{control}, my $bytes, 65_536, 0) {
        push @{$self->{reports}}, $bytes;
    }
}


sub _datagram {
    my ($self, $bytes) = @_;

    $bytes = $self->_rtp($bytes) if $self->{rtp};

    $self->{datagrams}++;
    $self->{sizes}{length $bytes}++;
    $self->{bytes} += length $bytes;
    $self->{body} .= $bytes if $self->{keep};
    $self->{check}->feed($bytes) if $self->{check};
}


# RFC 3550, 5.1

sub _rtp {
    my ($self, $bytes) = @_;

    my ($version, $type, $sequence, $timestamp, $ssrc) = unpack 'C2 n N2',
                                                                $bytes;

    $self->{faults}++ if $version != 0x80 || $type != 33;

    if (defined $self->{sequence}) {
        $self->{gaps}++ if $sequence != ($self->{sequence} + 1 & 0xffff);

        $self->{backward}++
            if ($timestamp - $self->{timestamp} & 0xffff_ffff) >= 1 << 31;
    }

    $self->{ssrc}{$ssrc}++;
    @$self{qw(sequence timestamp)} = ($sequence, $timestamp);

    return substr $bytes, 12;
}


# a socket that sends to a port of 127.0.0.1

sub source {
    my ($port, $address) = @_;

    return IO::Socket::INET->new(Proto => 'udp', PeerPort => $port,
                                 PeerAddr => $address // '127.0.0.1')
           || die "udp: $!";
}


# in datagrams of $size bytes, the last may be shorter

sub put {
    my ($sock, $bytes, $size) = @_;

    for (my $at = 0; $at < length $bytes; $at += $size) {
        send $sock, substr($bytes, $at, $size), 0;
    }
}


# the same as RTP: a list of datagrams

sub rtp {
    my ($bytes, %opt) = @_;

    my $size = $opt{size} // 1316;
    my $n = $opt{sequence} // 0;

    return map {
        pack('C2 n N2', 0x80, 33, $n++ & 0xffff, 90 * $n & 0xffff_ffff,
             $opt{ssrc} // 1) . $_
    } unpack "(a$size)*", $bytes;
}


1;
