/** The values that the sample programs contain. */
export interface SnippetFacts {
  /** The API's base URL, without a trailing slash. */
  url: string;
  agent: string;
  /** The API key, or null for a placeholder that the user replaces. */
  key: string | null;
  /** The recipient of the mail that they send. */
  to: string;
}

export interface Snippet {
  id: "curl" | "typescript" | "python" | "cli";
  label: string;
  /** How to run it, in one sentence. */
  run: string;
  code: string;
}

/** Sample programs that wait for the agent's next mail, reply to it, and send a mail. A test runs each of them. */
export function snippets(facts: SnippetFacts): Snippet[] {
  return [curl(facts), typescript(facts), python(facts), cli(facts)];
}

const keyOf = ({ key }: SnippetFacts) => key ?? "e2a_your_key";

function curl({ url, agent, to, ...facts }: SnippetFacts): Snippet {
  return {
    id: "curl",
    label: "curl",
    run: "Paste it into a terminal.",
    code: `export E2A_API_KEY=${keyOf({ url, agent, to, ...facts })}

# Send a mail
curl -s ${url}/api/v1/send \\
  -H "Authorization: Bearer $E2A_API_KEY" -H "Content-Type: application/json" \\
  -d '{"from": "${agent}", "to": ["${to}"], "subject": "Hello", "body": "From my agent."}'

# Wait up to 30 seconds for unread mail
curl -s "${url}/api/v1/agents/${agent}/messages/wait?timeout=30" \\
  -H "Authorization: Bearer $E2A_API_KEY"
`,
  };
}

function typescript({ url, agent, ...facts }: SnippetFacts): Snippet {
  return {
    id: "typescript",
    label: "TypeScript",
    run: "Save it as agent.ts and run `bun agent.ts` or `node agent.ts` (Node 22.18 or newer).",
    code: `const inbox = "${url}/api/v1/agents/${agent}/messages";
const headers = {
  authorization: "Bearer ${keyOf({ url, agent, ...facts })}",
  "content-type": "application/json",
};

async function call(path: string, body?: unknown) {
  const request = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
  const response = await fetch(inbox + path, request);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

console.log("Waiting for mail to ${agent} …");
for (;;) {
  const { messages } = await call("/wait?timeout=30");
  for (const { message_id } of messages) {
    const mail = await call("/" + message_id); // it becomes read
    console.log(mail.verified ? "verified" : "NOT verified", mail.from, mail.subject);
    await call("/" + message_id + "/reply", { body: "You wrote:\\n\\n" + mail.reply_text });
  }
}
`,
  };
}

function python({ url, agent, ...facts }: SnippetFacts): Snippet {
  return {
    id: "python",
    label: "Python",
    run: "Save it as agent.py and run `python3 agent.py`; it needs no packages.",
    code: `import json
from urllib.request import Request, urlopen

INBOX = "${url}/api/v1/agents/${agent}/messages"
HEADERS = {
    "Authorization": "Bearer ${keyOf({ url, agent, ...facts })}",
    "Content-Type": "application/json",
}

def call(path, body=None):
    data = json.dumps(body).encode() if body else None
    with urlopen(Request(INBOX + path, data, HEADERS)) as response:
        return json.load(response)

print("Waiting for mail to ${agent} …", flush=True)
while True:
    for message in call("/wait?timeout=30")["messages"]:
        mail = call("/" + message["message_id"])  # it becomes read
        print("verified" if mail["verified"] else "NOT verified", mail["from"], mail["subject"], flush=True)
        call("/" + message["message_id"] + "/reply", {"body": "You wrote:\\n\\n" + mail["reply_text"]})
`,
  };
}

function cli({ url, agent, to, ...facts }: SnippetFacts): Snippet {
  return {
    id: "cli",
    label: "Command line",
    run: "With the same `e2a` that runs the server.",
    code: `export E2A_URL=${url}
export E2A_API_KEY=${keyOf({ url, agent, to, ...facts })}

e2a send --agent ${agent} --to ${to} --subject Hello --body "From my agent."
e2a inbox --agent ${agent}
e2a listen --agent ${agent}
`,
  };
}
