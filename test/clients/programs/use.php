<?php
// phpredis or predis with its defaults until the standard input ends, while the master changes. Prints
// a report for each act: see report in program_test.go.
//
//   php use.php NAME phpredis|predis

[, $name, $library] = $argv;
$port = (int) getenv("REDIS_PORT");
if ($library === "predis") {
    require "/usr/share/php/Predis/autoload.php";
    $r = new Predis\Client("tcp://127.0.0.1:$port");
    $client_id = fn() => $r->executeRaw(["CLIENT", "ID"]);
} else {
    $r = new Redis();
    $r->pconnect("127.0.0.1", $port);
    $client_id = fn() => $r->client("id");
}

function report(string $act, string $list): object {
    return (object) ["act" => $act, "list" => $list, "sent" => 0, "doubt" => [], "told" => new ArrayObject(),
        "reconnects" => 0, "slowest" => 0, "lost" => 0, "doubled" => 0, "wrong" => []];
}

// one does the command that appends the next number; what it answers must be as expected.
function one(object $report, callable $command): void {
    $n = ++$report->sent;
    $began = microtime(true);
    try {
        $command($n);
    } catch (Throwable $e) {
        $text = substr(get_class($e) . ": " . $e->getMessage(), 0, 160);
        $report->told[$text] = ($report->told[$text] ?? 0) + 1;
        $report->doubt[] = $n;
    }
    $report->slowest = max($report->slowest, microtime(true) - $began);
}

$r->ping();
$first = $client_id();
$writes = report("writes", "$name:writes");
$transactions = report("transactions", "$name:transactions");
stream_set_blocking(STDIN, false);
echo "ready\n";
while (fgets(STDIN) !== false || !feof(STDIN)) {
    one($writes, function ($n) use ($r, $writes) {
        if ($r->rpush($writes->list, "$n") === false) {
            throw new Exception("rpush answered false");
        }
    });
    one($transactions, function ($n) use ($r, $name, $library, $transactions) {
        $t = $library === "predis" ? $r->transaction() : $r->multi();
        $t->rpush($transactions->list, "$n");
        $t->set("$name:last", "$n");
        $t->get("$name:last");
        $got = $library === "predis" ? $t->execute() : $t->exec();
        if (!is_array($got)) {
            throw new Exception("exec answered " . var_export($got, true));
        }
        if ($got[2] !== "$n") {
            $transactions->wrong[] = "transaction $n answered " . json_encode($got);
        }
    });
    usleep(10000);
}
$writes->reconnects = $transactions->reconnects = (int) ($client_id() !== $first);
echo json_encode($writes), "\n", json_encode($transactions), "\n";
