# Copyright (C) the tscast authors

package TSCast::DNS;

# A name server, RFC 1035, for A records; read by TSCast::Reader::pump().
#
#     my $dns = TSCast::DNS->new('origin.test' => ['127.0.0.1']);
#
#     resolver 127.0.0.1:$dns->{port} ipv6=off;
#
#     $dns->{names}{'origin.test'} = ['127.0.0.2'];
#     $dns->{mute} = 1;            # from now on it answers nothing
#
# A name that it does not have is NXDOMAIN.  {asked} counts questions by name.

use strict;
use warnings;

use IO::Socket::INET;
use Socket qw(inet_aton);


sub new {
    my ($class, %names) = @_;

    my $sock = IO::Socket::INET->new(Proto => 'udp', Blocking => 0,
                                     LocalAddr => '127.0.0.1')
        or die "udp: $!";

    return bless {
        sock => $sock, port => $sock->sockport, names => \%names, asked => {},
    }, $class;
}


sub read_some {
    my ($self) = @_;

    while (defined(my $from = recv $self->{sock}, my $query, 512, 0)) {
        my ($id) = unpack 'n', $query;
        my ($name, $at) = ('', 12);

        while ((my $len = unpack "x$at C", $query) != 0) {
            $name .= ($name eq '' ? '' : '.') . substr $query, $at + 1, $len;
            $at += 1 + $len;
        }

        $self->{asked}{$name}++;

        next if $self->{mute};

        my $question = substr $query, 12, $at + 1 + 4 - 12;
        my ($type) = unpack 'n', substr $question, -4;
        my $known = $self->{names}{$name};
        my @a = $known && $type == 1 ? @$known : ();

        # QR, RD, RA; 3 is NXDOMAIN.  Answers: a pointer to the name, A, IN,
        # a TTL of a second

        my $answer = pack('n6', $id, 0x8180 | ($known ? 0 : 3), 1,
                          scalar @a, 0, 0) . $question;

        $answer .= pack('n n n N n', 0xc00c, 1, 1, 1, 4) . inet_aton($_)
            for @a;

        send $self->{sock}, $answer, 0, $from;
    }
}


sub close {
    my ($self) = @_;

    CORE::close(delete $self->{sock}) if $self->{sock};
    $self->{end} = 'closed';
}


1;
