# Copyright (C) the tscast authors

package TSCast::Control;

# Commands to the control of a node, at /control.
#
#     my $a = TSCast::Control::command($ngx, DELETE => {
#         viewers => { stream => 'live/cam' },
#     });
#
#     is($a->{status}, 200);
#     is($a->{json}{viewers}, 2);
#
# A command that is text goes as it is.  Options: worker (its pid), type (of
# the content), headers, path.

use strict;
use warnings;

use JSON::PP;

use TSCast::Reader;


sub command {
    return answer(ask(@_));
}


# the same in two steps

sub ask {
    my ($ngx, $method, $command, %opt) = @_;

    my $body = ref $command ? encode_json($command) : $command;
    my $type = $opt{type} // 'application/json';
    my @to = $opt{worker} ? (sock => $ngx->connect_to_worker($opt{worker}))
                          : (port => $ngx->port);

    return TSCast::Reader->http(
        @to, method => $method, path => $opt{path} // '/control',
        headers => ['Connection: close', 'Content-Length: ' . length $body,
                    $type ? "Content-Type: $type" : (),
                    @{$opt{headers} // []}],
        extra => $body);
}


sub answer {
    my ($r) = @_;

    $r->wait_end(10);
    $r->close;

    $r->{json} = eval { decode_json($r->{body}) };

    return $r;
}


# status and reason, in one line

sub told {
    my $r = command(@_);

    return join ' ', $r->{status} // 'nothing', $r->{json}{error} // ();
}


1;
