# Copyright (C) the tscast authors

package TSCast::Peer;

# The far end of links over TCP: a server that accepts whoever comes, and never
# blocks.  It and its connections are read by TSCast::Reader::pump().
#
#     my $sink = TSCast::Peer->new;                # of a push
#     TSCast::Reader::pump(5, sub { $sink->bytes > 1e6 }, $sink) or die;
#     is $sink->first->{check}->faults, '';
#
#     my $origin = TSCast::Peer->new;              # of a pull
#     $origin->live($ts->frame);                   # to all connections
#
# Options:
#
#     address   127.0.0.1
#     port      a free one
#     greet     bytes, or a sub that returns them, for each new connection
#     close     1: a connection is closed at once, after the greeting
#     deaf      1: nothing is read
#     rcvbuf    size of the receive buffers
#     keep      1: what comes is kept in {body}
#
# What it has: {accepted}, its connections, oldest first.  Each has {bytes},
# {body}, a TSCast::Check as {check}, and {end}: undef as long as it lasts.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVBUF);

use TSCast::Check;
use TSCast::Net;


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        address => '127.0.0.1', keep => 0,
        %opt,
        accepted => [], gop => '',
    }, $class;

    $self->{port} //= TSCast::Net::free_port();
    $self->listen;

    return $self;
}


sub port { return $_[0]{port} }


# also again, after shut()

sub listen {
    my ($self) = @_;

    $self->{sock} = IO::Socket::INET->new(
        LocalAddr => $self->{address}, LocalPort => $self->{port},
        Listen => 128, ReuseAddr => 1, Blocking => 0)
        or die "listen on $self->{address}:$self->{port}: $!";

    setsockopt $self->{sock}, SOL_SOCKET, SO_RCVBUF, pack 'i', $self->{rcvbuf}
        if $self->{rcvbuf};

    $self->{end} = undef;
}


# refuses from now on, and lets go of who is there

sub shut {
    my ($self) = @_;

    CORE::close(delete $self->{sock}) if $self->{sock};
    $self->{end} = 'closed';

    $_->close for @{$self->{accepted}};
}


sub close {
    my ($self) = @_;

    $self->shut;
}


# connections that last

sub open {
    my ($self) = @_;

    return grep { !$_->{end} } @{$self->{accepted}};
}


sub first { return $_[0]{accepted}[0] }
sub last { return $_[0]{accepted}[-1] }


sub bytes {
    my ($self) = @_;

    my $n = 0;

    $n += $_->{bytes} for @{$self->{accepted}};

    return $n;
}


# what all connections got, one after the other

sub body {
    my ($self) = @_;

    return join '', map { $_->{body} } @{$self->{accepted}};
}


sub put {
    my ($self, $bytes) = @_;

    $_->put($bytes) for $self->open;
}


# as put(); and with key => 1, or tables in front, this is where connections
# that come later begin

sub live {
    my ($self, $bytes, %opt) = @_;

    my $key = $opt{key} // (unpack('n', substr $bytes, 1, 2) & 0x1fff) == 0;

    $self->{gop} = '' if $key;
    $self->{gop} .= $bytes;
    $self->{greet} //= sub { $self->{gop} };

    $self->put($bytes);
}


sub read_some {
    my ($self) = @_;

    while (my $sock = $self->{sock}->accept) {
        my $c = bless {
            sock => $sock, bytes => 0, body => '', keep => $self->{keep},
            check => TSCast::Check->new, paused => $self->{deaf},
        }, 'TSCast::Peer::Connection';

        push @{$self->{accepted}}, $c;

        my $greet = $self->{greet};

        $c->put(ref $greet ? $greet->() : $greet) if defined $greet;
        $c->close if $self->{close};
    }
}


package TSCast::Peer::Connection;

use Errno qw(EAGAIN EINTR EWOULDBLOCK);


sub put {
    my ($self, $bytes) = @_;

    return $self->{end} ? 0 : TSCast::Net::put($self->{sock}, $bytes);
}


sub read_some {
    my ($self) = @_;

    $self->{sock}->blocking(0);

    my $n = sysread $self->{sock}, my $bytes, 262_144;

    if (!defined $n) {
        $self->{end} = 'reset'
            if $! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR;

    } elsif ($n == 0) {
        $self->{end} = 'eof';

    } else {
        $self->{bytes} += $n;
        $self->{body} .= $bytes if $self->{keep};
        $self->{check}->feed($bytes);
        $self->{on_bytes}->($bytes) if $self->{on_bytes};
    }

    CORE::close(delete $self->{sock}) if $self->{end};
}


sub close {
    my ($self) = @_;

    CORE::close(delete $self->{sock}) if $self->{sock};
    $self->{end} ||= 'closed';
}


1;
