# Copyright (C) the tscast authors

package TSCast::Datagrams;

# A sender over UDP to a port of 127.0.0.1, which waits for the other side to
# read, so that nothing is lost for want of room.
#
#     my $u = TSCast::Datagrams->new(port => $port, size => 1472);
#     $u->send($bytes);                 # what does not fill a datagram is kept
#     $u->flush;
#
#     my $r = TSCast::Datagrams->new(port => $port, rtp => {});
#     $r->put($r->rtp($packets, sequence => 7));    # one packet, by hand
#
# Options:
#
#     size    bytes of media in a datagram (1316)
#     rtp     a header goes before each: { sequence, timestamp, ssrc, type,
#             csrc => [ ... ], extension => 'words', padding => 4 }

use strict;
use warnings;

use IO::Socket::INET;

use TSCast::Net;

# bytes on the way to the other side, less than its receive buffer

my $ROOM = 60_000;


sub new {
    my ($class, %opt) = @_;

    my $self = bless { size => 1316, %opt, kept => '', sent => 0 }, $class;

    $self->{sock} = IO::Socket::INET->new(Proto => 'udp',
                                          PeerAddr => '127.0.0.1',
                                          PeerPort => $self->{port})
        or die "udp socket: $!";

    return $self;
}


sub send {
    my ($self, $bytes) = @_;

    $self->{kept} .= $bytes;

    while (length $self->{kept} >= $self->{size}) {
        $self->_piece(substr $self->{kept}, 0, $self->{size}, '');
    }

    return $self;
}


sub flush {
    my ($self) = @_;

    $self->_piece($self->{kept}) if $self->{kept} ne '';
    $self->{kept} = '';

    return $self;
}


sub _piece {
    my ($self, $media) = @_;

    $self->put($self->{rtp} ? $self->rtp($media) : $media);
}


# a datagram as it is

sub put {
    my ($self, $datagram) = @_;

    if (($self->{ahead} += length($datagram) + 500) > $ROOM) {
        $self->wait_read;
    }

    # an error of the datagram before, when nobody listened

    defined syswrite $self->{sock}, $datagram
        or syswrite $self->{sock}, $datagram;

    $self->{sent}++;
}


# RFC 3550, 5.1; the number and the time of the next one follow from it

sub rtp {
    my ($self, $payload, %opt) = @_;

    my $r = $self->{rtp};

    $r->{$_} = $opt{$_} for keys %opt;
    $r->{sequence} //= 65_530;

    my $csrc = $r->{csrc} // [];
    my $extension = $r->{extension};
    my $padding = $r->{padding} // 0;

    my $first = 0x80 | ($padding ? 0x20 : 0)
                | (defined $extension ? 0x10 : 0) | @$csrc;

    my $packet = pack 'CCnNNN*', $first, $r->{type} // 33,
                      $r->{sequence} & 0xffff, $r->{timestamp} // 0,
                      $r->{ssrc} // 0x12345678, @$csrc;

    $packet .= pack('nn', 0xbede, length($extension) / 4) . $extension
        if defined $extension;

    $packet .= $payload;
    $packet .= "\0" x ($padding - 1) . chr $padding if $padding;

    $r->{sequence}++;

    return $packet;
}


# all that was sent is read

sub wait_read {
    my ($self) = @_;

    $self->{ahead} = 0;

    return TSCast::Net::until_true(5, sub {
        !grep { $_->{unread} } sockets($self->{port})
    });
}


sub close {
    my ($self) = @_;

    CORE::close(delete $self->{sock}) if $self->{sock};
}


# the sockets that listen on a port: what waits in them, and what they had no
# room for

sub sockets {
    my ($port) = @_;

    open my $in, '<', '/proc/net/udp' or die $!;

    local $/ = "\n";

    my $local = sprintf ':%04X', $port;
    my @found;

    while (my $line = <$in>) {
        my @f = split ' ', $line;

        next if $f[1] !~ /$local\z/;

        push @found, { unread => hex((split /:/, $f[4])[1]),
                       dropped => $f[12] };
    }

    return @found;
}


# datagrams that nginx had no room for

sub dropped {
    my ($self) = @_;

    my $n = 0;

    $n += $_->{dropped} for sockets($self->{port});

    return $n;
}


1;
