package dev.mullion.examples.errors;

import com.google.rpc.BadRequest;
import com.google.rpc.BadRequest.FieldViolation;
import dev.mullion.rpc.ErrorDetails;
import dev.mullion.rpc.RpcMethod;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.HashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/** Moves money between accounts; each way in which that fails has a status of its own. */
final class BankService extends BankGrpc.BankImplBase {
  /** What the bank itself knows of errors: nothing of gRPC. The server maps it. */
  static final class InsufficientFundsException extends Exception {
    private static final long serialVersionUID = 1L;

    InsufficientFundsException(String account, long balance) {
      super("account " + account + " has " + balance);
    }
  }

  private final Map<String, Long> balances =
      new HashMap<>(Map.of("ada", 100L, "grace", 50L, "slow", 50L, "busy", 50L));
  private final Map<String, Long> done = new HashMap<>();
  private int attempts;

  @Override
  public void transfer(TransferRequest request, StreamObserver<TransferReply> reply) {
    RpcMethod.unaryAsync(reply, () -> transfer(request));
  }

  private CompletionStage<TransferReply> transfer(TransferRequest request) throws Exception {
    if (request.getAmount() <= 0) {
      throw invalid("amount", request.getAmount() + " (expected: > 0)");
    }
    if (request.getTo().equals("slow")) {
      // Never completes: a timeout ends the call, and cancels this.
      return new CompletableFuture<>();
    }
    if (request.getTo().equals("busy")) {
      return busy(request);
    }
    return CompletableFuture.completedFuture(move(request));
  }

  /** Two of three attempts fail in a way that a client may try again. */
  private synchronized CompletionStage<TransferReply> busy(TransferRequest request)
      throws InsufficientFundsException {
    if (++attempts % 3 != 0) {
      throw Status.UNAVAILABLE.withDescription("the ledger is busy").asRuntimeException();
    }
    TransferReply reply = move(request);
    return CompletableFuture.supplyAsync(
        () -> reply, CompletableFuture.delayedExecutor(10, TimeUnit.MILLISECONDS));
  }

  private synchronized TransferReply move(TransferRequest request)
      throws InsufficientFundsException {
    Long before = done.get(request.getId());
    if (before != null) {
      return TransferReply.newBuilder().setBalance(before).build();
    }
    long from = balance(request.getFrom());
    long to = balance(request.getTo());
    if (from < request.getAmount()) {
      throw new InsufficientFundsException(request.getFrom(), from);
    }
    balances.put(request.getFrom(), from - request.getAmount());
    balances.put(request.getTo(), to + request.getAmount());
    done.put(request.getId(), from - request.getAmount());
    return TransferReply.newBuilder().setBalance(from - request.getAmount()).build();
  }

  private long balance(String account) {
    Long balance = balances.get(account);
    if (balance == null) {
      // By default the client sees NOT_FOUND with this text.
      throw new NoSuchElementException("account " + account);
    }
    return balance;
  }

  private static Exception invalid(String field, String text) {
    return ErrorDetails.exception(
        Status.INVALID_ARGUMENT.withDescription(field + ": " + text),
        BadRequest.newBuilder()
            .addFieldViolations(FieldViolation.newBuilder().setField(field).setDescription(text))
            .build());
  }
}
