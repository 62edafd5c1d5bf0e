import { useEffect } from "preact/hooks";
import type { EventBusError } from "../../client/index.ts";
import { PageLink } from "../parts/page-link.tsx";
import { Failure, Loading, Notice, StaleBanner, sentence } from "../parts/states.tsx";
import { nameOf, orderOf, sorted, TopicTable } from "../parts/topic-table.tsx";
import type { ViewProps } from "../state/parts.ts";
import { routeTo, useChoice } from "../state/route.ts";
import { useStores } from "../state/store.ts";
import { PAGE_TOPICS, type TopicAnswer, type TopicQuestion, type TopicWatch } from "../state/topic-watch.ts";
import { useTyped } from "../state/typed.ts";
import { count, counted } from "../text/format.ts";

/** The topics with events in the history, a page at a time. The search is part of the address. */
export function TopicsView({ topics: watch, query }: ViewProps) {
  useStores(watch);
  const { find = "", after = "" } = query;
  useEffect(() => watch.ask({ find, after }), [watch, find, after]);
  return (
    <section class="view topics">
      <h1 class="offscreen">Topics</h1>
      <WatchedTopics watch={watch} question={{ find, after }} />
    </section>
  );
}

interface WatchedProps {
  readonly watch: TopicWatch;
  readonly question: TopicQuestion;
}

function WatchedTopics({ watch: { answer, error, isAsking }, question }: WatchedProps) {
  if (error?.status === 403) return <NotForThisToken />;
  const isMistake = error?.status === 400;
  const isAll = question.find === "" && question.after === "";
  const isEmpty = isAll && !isMistake && (answer === undefined || answer.topics.length === 0);
  return (
    <>
      {error && !isMistake && answer && <StaleBanner error={error} />}
      {!isEmpty && (
        <div class="tools">
          <FindField find={question.find} mistake={isMistake ? error : undefined} />
          <span class="summary" role="status">
            {answer && !isMistake && !isPart(answer) && counted(answer.topics.length, "topic")}
          </span>
        </div>
      )}
      {answer === undefined && !isMistake && (error ? <Failure error={error} /> : <Loading what="topics" />)}
      {answer !== undefined && !isMistake && <FoundTopics answer={answer} isAsking={isAsking} />}
    </>
  );
}

interface FindProps {
  readonly find: string;
  readonly mistake: EventBusError | undefined;
}

/** Changes the address when typing pauses. */
function FindField({ find, mistake }: FindProps) {
  const [sort] = useChoice("sort");
  const [text, type] = useTyped(find, (typed) => location.replace(routeTo("topics", { find: typed, sort })));
  return (
    <>
      <label class="find">
        Find
        <input
          value={text}
          onInput={(input) => type(input.currentTarget.value.trim())}
          placeholder="a part, or a pattern: orders.*"
          aria-invalid={mistake !== undefined}
          aria-describedby="mistake"
          spellcheck={false}
          autocomplete="off"
        />
      </label>
      <span id="mistake" class="wrong" role="status">
        {mistake && sentence(mistake.message.replace(/^the query parameter \w+:? /, ""))}
      </span>
    </>
  );
}

interface FoundProps {
  readonly answer: TopicAnswer;
  readonly isAsking: boolean;
}

function FoundTopics({ answer, isAsking }: FoundProps) {
  const { question, topics } = answer;
  const [chosen, choose] = useChoice("sort");
  // Pages are ordered by name, so only that order continues from one page to the next.
  const order = orderOf(chosen) ?? { column: isPart(answer) ? "topic" : "last", isReversed: false };
  if (topics.length === 0) return <NothingFound question={question} />;
  return (
    <>
      {isPart(answer) && <Pager answer={answer} isByName={order.column === "topic"} />}
      <TopicTable
        key={routeTo("topics", { ...question })}
        topics={sorted(topics, order)}
        order={order}
        onOrder={(by) => choose(nameOf(by))}
        isOld={isAsking}
      />
    </>
  );
}

function Pager({ answer, isByName }: { readonly answer: TopicAnswer; readonly isByName: boolean }) {
  const { question, topics, hasMore } = answer;
  const [sort] = useChoice("sort");
  const { find, after } = question;
  const next = hasMore ? topics.at(-1)?.topic : undefined;
  return (
    <nav class="pager" aria-label="Pages">
      <span>
        {after === "" && "The first "}
        {counted(topics.length, "topic")}
        {find !== "" && " that match"}
        {after !== "" && (
          <>
            {" "}
            after <code>{after}</code>
          </>
        )}
        {hasMore ? ", by name; there are more." : ", by name."}
      </span>
      {!isByName && <span class="span">Only these are sorted.</span>}
      <span class="fill" />
      <PageLink words="First" to={after === "" ? undefined : routeTo("topics", { find, sort })} />
      <PageLink words={`Next ${count(PAGE_TOPICS)} →`} to={next && routeTo("topics", { find, sort, after: next })} />
    </nav>
  );
}

function NothingFound({ question: { find, after } }: Pick<TopicAnswer, "question">) {
  if (find === "" && after === "") {
    return (
      <Notice title="No topics yet">
        <p>
          A topic appears as soon as an event is published to it. <a href={routeTo("publish")}>Publish one</a>
        </p>
      </Notice>
    );
  }
  return (
    <Notice title={find === "" ? "There are no topics after this one" : "No topic matches"}>
      <p>
        {find !== "" &&
          "Plain text matches any part of a topic; a pattern such as orders.* must match the whole topic. "}
        <a href={routeTo("topics")}>Show all topics</a>
      </p>
    </Notice>
  );
}

function NotForThisToken() {
  return (
    <Notice title="Topics require a monitor token">
      <p>
        The list is for tokens that an admin creates with <code>eventbus token create NAME --monitor</code>, or{" "}
        <code>--admin</code>. With this one you can still watch <a href={routeTo("live")}>live events</a> and search{" "}
        <a href={routeTo("history")}>history</a>, as far as it may see them.
      </p>
    </Notice>
  );
}

/** There are topics on other pages. */
function isPart({ question, hasMore }: TopicAnswer): boolean {
  return hasMore || question.after !== "";
}
