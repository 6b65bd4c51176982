# Copyright (C) the tscast authors

package TSCast::Status;

# The status of a node, and what is wrong with it by its schema.
#
#     my $s = TSCast::Status::get($ngx);                  # parsed
#     my $one = TSCast::Status::stream($ngx, 'live/cam'); # of one stream
#     is(TSCast::Status::faults($s), '', 'as the schema says');
#     is(TSCast::Status::faults($events, 'event'), '', 'of another schema');
#
# faults() knows of JSON Schema what conf/*.schema.json use.

use strict;
use warnings;

use File::Basename qw(dirname);
use JSON::PP;

use TSCast::Net;
use TSCast::Reader;

my %SCHEMA;


# a request to the end: the reader

sub request {
    my ($ngx, $path, %opt) = @_;

    my $r = TSCast::Reader->http(port => $ngx->port, path => $path,
                                 headers => ['Connection: close'], %opt);
    $r->wait_end(10);
    $r->close;

    return $r;
}


sub get {
    my ($ngx, $args) = @_;

    my $r = request($ngx, '/status' . ($args // ''));

    return decode_json($r->{body});
}


# undef when there is no such stream

sub stream {
    my ($ngx, $name) = @_;

    my $r = request($ngx, "/status?stream=$name");

    return if $r->{status} != 200;

    return decode_json($r->{body})->{streams}[0];
}


# waits until $what->($stream) is true: what a publisher's worker says comes
# once a second

sub until_stream {
    my ($ngx, $name, $what, $seconds) = @_;

    my $s;

    TSCast::Net::until_true($seconds // 5, sub {
        $s = stream($ngx, $name);
        return defined $s && $what->($s);
    });

    return $s;
}


sub schema {
    my ($name) = @_;

    return $SCHEMA{$name} if $SCHEMA{$name};

    my $file = dirname(__FILE__) . "/../../../conf/$name.schema.json";

    open my $in, '<', $file or die "$file: $!";
    local $/;

    return $SCHEMA{$name} = decode_json(<$in>);
}


sub faults {
    my ($value, $name) = @_;

    my $root = schema($name // 'status');

    return join "\n", _faults($value, $root, '$', $root);
}


sub _faults {
    my ($value, $schema, $path, $root) = @_;

    if (my $ref = $schema->{'$ref'}) {
        my ($name) = $ref =~ m{^#/\$defs/(\w+)$} or die "reference $ref";
        $schema = $root->{'$defs'}{$name} or die "no $ref";
    }

    my $type = _type($value);
    my $wanted = $schema->{type};

    return "$path: $type, not $wanted"
        if $type ne $wanted && !($type eq 'integer' && $wanted eq 'number');

    my @f;

    push @f, "$path: $value is not of the list"
        if $schema->{enum} && !grep { $_ eq $value } @{$schema->{enum}};
    push @f, "$path: $value"
        if defined $schema->{minimum} && $value < $schema->{minimum};

    if ($type eq 'array') {
        push @f, map { _faults($value->[$_], $schema->{items}, "$path\[$_]",
                               $root) } 0 .. $#$value;
    }

    if ($type eq 'object') {
        my $known = $schema->{properties};

        push @f, map { "$path.$_ is missing" }
                 grep { !exists $value->{$_} } @{$schema->{required}};
        push @f, map { "$path.$_ is not known" }
                 grep { !$known->{$_} } keys %$value;
        push @f, map { _faults($value->{$_}, $known->{$_}, "$path.$_", $root) }
                 grep { $known->{$_} } sort keys %$value;
    }

    return @f;
}


# the type that a value had in the text

sub _type {
    my ($value) = @_;

    return 'null' if !defined $value;
    return 'boolean' if JSON::PP::is_bool($value);
    return ref $value eq "HASH" ? "object" : "array" if ref $value;

    my $text = JSON::PP->new->allow_nonref->encode($value);

    return $text =~ /^"/ ? 'string' : $text =~ /^-?\d+$/ ? 'integer'
                                                         : 'number';
}


# samples of the text for Prometheus by name and labels

sub samples {
    my ($text) = @_;

    return map { /^(\S+?(?:\{.*\})?) (\S+)$/ ? ($1, $2) : () }
           grep { !/^#/ } split /\n/, $text;
}


1;
