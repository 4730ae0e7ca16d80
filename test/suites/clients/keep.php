<?php
// phpredis with its defaults for some seconds, during which the master changes. No command
// may fail and the connection must stay. Reports as report.py describes.
//
//   php keep.php SECONDS

$name = "phpredis: commands, transactions, session";
try {
    $until = microtime(true) + (float) $argv[1];
    $r = new Redis();
    $r->pconnect("127.0.0.1", 6379);
    $r->select(2);
    $id = $r->client("id");
    for ($n = 1; microtime(true) < $until; $n++) {
        $got = $r->incr("php:n");
        if ($got !== $n) {
            throw new Exception("INCR $n: " . var_export($got, true));
        }
        $got = $r->multi()->rPush("php:list", $n)->get("php:n")->exec();
        if ($got !== [$n, "$n"]) {
            throw new Exception("EXEC $n: " . json_encode($got));
        }
        usleep(5000);
    }
    if ($r->client("id") !== $id) {
        throw new Exception("another connection");
    }
    echo "pass\t$name\n";
} catch (Throwable $e) {
    echo "fail\t$name\t", $e->getMessage(), "\n";
}
