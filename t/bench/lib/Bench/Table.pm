# Copyright (C) the tscast authors

package Bench::Table;

# Medians of the rounds, bounds, and what has changed since the last time.

use strict;
use warnings;

# name => [title, format, how the rounds become one, more is worse]

my %COLUMN = (
    ratio        => ['times',     '%.2f', 'median', 1],
    cpu_gb       => ['CPU s/GB',  '%.3f', 'median', 1],
    cpu_hour     => ['CPU s/h',   '%.2f', 'median', 1],
    core         => ['core %',    '%.0f', 'median', 1],
    mbit_min     => ['Mbit/s',    '%.3f', 'min',    -1],
    mbit_in      => ['in',        '%.3f', 'min',    -1],
    packets      => ['packets',   '%d',   'sum',    -1],
    taken        => ['taken',     '%d',   'sum',    -1],
    missed       => ['missed',    '%d',   'sum',    1],
    continuity   => ['CC errors', '%d',   'sum',    1],
    overrun      => ['no room',   '%d',   'sum',    1],
    latency_p50  => ['p50 ms',    '%.1f', 'median', 1],
    latency_p99  => ['p99 ms',    '%.1f', 'median', 1],
    latency_max  => ['max ms',    '%.1f', 'max',    1],
    hop_p50      => ['hop p50',   '%.1f', 'median', 1],
    hop_p99      => ['hop p99',   '%.1f', 'median', 1],
    lost         => ['lost',      '%d',   'sum',    1],
    doubled      => ['doubled',   '%d',   'sum',    1],
    cut          => ['cut',       '%d',   'sum',    1],
    wrong        => ['no key',    '%d',   'sum',    1],
    failed       => ['failed',    '%d',   'sum',    1],
    first_p50    => ['first p50', '%.2f', 'median', 1],
    first_p99    => ['first p99', '%.2f', 'median', 1],
    key_p50      => ['key p50',   '%.2f', 'median', 1],
    key_p99      => ['key p99',   '%.2f', 'median', 1],
    joined       => ['joined',    '%d',   'median', -1],
    tcp_max      => ['TCP MB',    '%.0f', 'max',    1],
    tcp_unread   => ['unread MB', '%.0f', 'max',    1],
    tcp_server   => ['server MB', '%.0f', 'max',    1],
    stall_cut    => ['cut',       '%d',   'sum',    1],
    stall_behind => ['behind',    '%d',   'sum',    1],
    stall_lost   => ['skipped',   '%d',   'sum',    1],
    pss          => ['PSS KiB',   '%.2f', 'median', 1],
    anon         => ['anon KiB',  '%.2f', 'median', 1],
    above        => ['above',     '%.2f', 'median', 1],
    stream_kb    => ['KiB/stream', '%.0f', 'median', 1],
    stream_anon  => ['anon', '%.0f', 'median', 1],
    late_p99     => ['source ms', '%.2f', 'median', 1],
    mb_first     => ['MB first',  '%.2f', 'median', 1],
    mb_last      => ['MB last',   '%.2f', 'median', 1],
    grown        => ['grown MB',  '%.2f', 'median', 1],
    published    => ['GB in',     '%.2f', 'median', -1],
);

sub combine {
    my ($how, @values) = @_;

    @values = sort { $a <=> $b } grep { defined } @values;
    return undef unless @values;

    return $values[0] if $how eq 'min';
    return $values[-1] if $how eq 'max';

    if ($how eq 'sum') {
        my $sum = 0;
        $sum += $_ for @values;
        return $sum;
    }

    return @values % 2 ? $values[$#values / 2]
                       : ($values[@values / 2 - 1] + $values[@values / 2]) / 2;
}

# one hash out of those of the rounds

sub summary {
    my (@rounds) = @_;
    my %sum;

    for my $key (keys %COLUMN) {
        my $value = combine($COLUMN{$key}[2], map { $_->{$key} } @rounds);
        $sum{$key} = $value if defined $value;
    }

    return \%sum;
}

# beyond($value, $bound): a bound that starts with ">" is a least value

sub beyond {
    my ($value, $bound) = @_;

    return 0 unless defined $bound && defined $value;
    return $value < $1 if $bound =~ /^>(.*)/;
    return $value > $bound;
}

# rows: { name, values, bounds, note }; returns how many values are beyond

sub show {
    my ($columns, $rows, $last) = @_;
    my @widths = map { length $COLUMN{$_}[0] } @$columns;
    my (@lines, $beyond);

    $beyond = 0;

    for my $row (@$rows) {
        my @cells;

        for my $i (0 .. $#$columns) {
            my $key = $columns->[$i];
            my $value = $row->{values}{$key};
            my $cell = defined $value ? sprintf $COLUMN{$key}[1], $value : '-';

            if (beyond($value, $row->{bounds}{$key})) {
                $cell .= '*';
                $beyond++;

            } else {
                $cell .= ' ';
            }

            $widths[$i] = length $cell if length $cell > $widths[$i];
            push @cells, $cell;
        }

        push @lines, [$row, @cells];
    }

    printf '  %-24s', '';
    printf '  %*s ', $widths[$_] - 1, $COLUMN{ $columns->[$_] }[0]
        for 0 .. $#$columns;
    print "  since the last time\n";

    for my $line (@lines) {
        my ($row, @cells) = @$line;

        printf '  %-24s', $row->{name};
        printf '  %*s', $widths[$_], $cells[$_] for 0 .. $#cells;
        print '   ', $row->{note} || change($row, $columns, $last), "\n";
    }

    return $beyond;
}

# of the first two columns that say something

sub change {
    my ($row, $columns, $last) = @_;
    my $was = $last->{ $row->{name} } or return '-';
    my @said;

    for my $key (@$columns) {
        my ($now, $before) = ($row->{values}{$key}, $was->{$key});

        next unless $now && $before && $COLUMN{$key}[2] eq 'median';

        push @said, sprintf '%s %+.0f%%', $COLUMN{$key}[0],
                            ($now / $before - 1) * 100;
        last if @said == 2;
    }

    return join(', ', @said) || '-';
}

1;
