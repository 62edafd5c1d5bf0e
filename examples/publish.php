<?php
// Publishes exactly one event, however often the connection breaks. Needs only PHP.

function publish(string $topic, mixed $data = null, string $source = ''): array
{
    $url = (getenv('EVENTBUS_URL') ?: 'http://127.0.0.1:9800') . '/api/events/publish';
    $key = bin2hex(random_bytes(16)); // the same key on every attempt: the server publishes the event once
    $token = getenv('EVENTBUS_TOKEN');
    $authorization = $token ? ["Authorization: Bearer $token"] : [];
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => ['Content-Type: application/json', "Idempotency-Key: $key", ...$authorization],
        'content' => json_encode(['topic' => $topic, 'data' => $data, 'source' => $source], JSON_THROW_ON_ERROR),
        'timeout' => 10,
        'ignore_errors' => true, // so that the response says what is wrong
    ]]);
    foreach ([0.1, 1, 5, 0] as $pause) {
        $answer = @file_get_contents($url, false, $context);
        $status = $answer === false ? 0 : (int) explode(' ', $http_response_header[0])[1];
        if ($status === 200) {
            return json_decode($answer, true, 512, JSON_THROW_ON_ERROR);
        }
        if ($status >= 400 && $status < 500 && $status !== 429) {
            throw new InvalidArgumentException(json_decode($answer, true)['detail']);
        }
        usleep((int) ($pause * 1_000_000));
    }
    throw new RuntimeException("no answer from $url");
}

$event = publish('orders.created', ['order' => 'A-1009', 'total' => 12.5], 'shop');
echo $event['id'], ' ', $event['topic'], ' ', json_encode($event['data']), "\n";
