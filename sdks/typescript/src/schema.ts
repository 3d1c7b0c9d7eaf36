/** Generated from docs/openapi.json by scripts/api-types.ts. */

export interface paths {
    "/api/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the server answers */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the server can do its work
         * @description The store takes writes, the disk has room, deliveries are under way. 503 with `reasons` if not.
         */
        get: operations["getReady"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What this server offers */
        get: operations["getInfo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This description */
        get: operations["getOpenApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This description, to read */
        get: operations["getDocs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the caller's account */
        get: operations["getMe"];
        put?: never;
        post?: never;
        /** Delete the account and everything it owns */
        delete: operations["deleteAccount"];
        options?: never;
        head?: never;
        /**
         * Pause or resume all outbound mail
         * @description Inbound mail is still received. Agents and domains that were paused individually stay paused.
         */
        patch: operations["patchMe"];
        trace?: never;
    };
    "/api/v1/users/me/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export everything the account owns
         * @description Streamed, messages included; no key hashes and no secrets.
         */
        get: operations["exportAccount"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/methods": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the ways to sign in */
        get: operations["getSignInMethods"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the account that this browser is signed in to */
        get: operations["getSession"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/key": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign this browser in with an API key
         * @description Sets the session cookie. The session ends with the key.
         */
        post: operations["signInWithKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/email": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Mail a link that signs in
         * @description Sent to the account of this address, if there is one; the answer does not reveal whether there is. The link works once, for 15 minutes.
         */
        post: operations["mailSignInLink"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End this browser's session */
        post: operations["logOut"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the browsers that are signed in
         * @description Newest first; all of them unless `page_size` is given.
         */
        get: operations["listSessions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Sign a browser out
         * @description At once, also its open WebSockets.
         */
        delete: operations["deleteSession"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List API keys
         * @description Newest first; all of them unless `page_size` is given.
         */
        get: operations["listKeys"];
        put?: never;
        /**
         * Create an API key
         * @description The key is shown only in this answer; its hash is stored.
         */
        post: operations["createKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke an API key
         * @description At once, also for open WebSockets and for browsers that signed in with it.
         */
        delete: operations["deleteKey"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/me/signing-secrets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List signing secrets
         * @description Newest first, and the first one signs; all of them unless `page_size` is given.
         */
        get: operations["listSigningSecrets"];
        put?: never;
        /**
         * Create a signing secret
         * @description It signs from now on; the older ones stay, so that receivers can rotate. At most five.
         */
        post: operations["createSigningSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/me/signing-secrets/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete a signing secret
         * @description Not the last one.
         */
        delete: operations["deleteSigningSecret"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List agents
         * @description Newest first; all of them unless `page_size` is given. A key of one agent sees that one.
         */
        get: operations["listAgents"];
        put?: never;
        /**
         * Register an agent
         * @description With `slug` on the shared domain, at once; with `email` on a verified domain of yours.
         */
        post: operations["createAgent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get an agent */
        get: operations["getAgent"];
        /**
         * Change an agent
         * @description Changes only the members given, all of them or none. PATCH is the same.
         */
        put: operations["updateAgent"];
        post?: never;
        /** Delete an agent with its messages and keys */
        delete: operations["deleteAgent"];
        options?: never;
        head?: never;
        /** Change an agent */
        patch: operations["patchAgent"];
        trace?: never;
    };
    "/api/v1/agents/{email}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send the agent a test message
         * @description From the relay itself, through the whole inbound path.
         */
        post: operations["testAgent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List or search an agent's messages
         * @description Unread ones, oldest first, 50 at a time, unless asked otherwise.
         */
        get: operations["listMessages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/messages/wait": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Wait for unread messages
         * @description Answers as soon as there are any, oldest first; with an empty list when the time is up.
         */
        get: operations["waitForMessages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/messages/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a message
         * @description An unread one becomes read by an API key's GET; never by HEAD or by a browser's session.
         */
        get: operations["getMessage"];
        put?: never;
        post?: never;
        /** Delete a message */
        delete: operations["deleteMessage"];
        options?: never;
        head?: never;
        /**
         * Change a message's status and labels
         * @description A message has at most 100 labels.
         */
        patch: operations["updateMessage"];
        trace?: never;
    };
    "/api/v1/agents/{email}/messages/{id}/raw": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Download a message as it is stored */
        get: operations["getRawMessage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/messages/{id}/attachments/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download an attachment
         * @description `index` is the attachment's, or, for a file in an attached message, the index of the message, a dot and the index of the file in it, such as `2.0`; messages are read up to 5 deep.
         */
        get: operations["getAttachment"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/messages/{id}/attachments/{index}/message": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read an attached message
         * @description `index` is the attachment's, or, for a file in an attached message, the index of the message, a dot and the index of the file in it, such as `2.0`; messages are read up to 5 deep.
         */
        get: operations["getAttachedMessage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/messages/{id}/html": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a message's HTML, harmless
         * @description Only what lays text out, as a page that runs and loads nothing (its Content-Security-Policy). Links lead to a page of the dashboard that shows where they go.
         */
        get: operations["showMessageHtml"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/messages/{id}/html": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a sent message's HTML, harmless
         * @description Only what lays text out, as a page that runs and loads nothing (its Content-Security-Policy). Links lead to a page of the dashboard that shows where they go.
         */
        get: operations["showOutboundHtml"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/inbox": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List or search what all agents have received
         * @description Newest first, read and unread, mail to postmaster of your domains included. A key of one agent sees that one's.
         */
        get: operations["listInbox"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/overview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The account in figures */
        get: operations["getOverview"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/messages/{id}/reply": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reply to a message
         * @description To its Reply-To, or else its From; for the agent's own message, to its recipients. If the signature that proves the sender leaves out Reply-To, To or Cc (`authentication.unsigned`), that field chooses no recipients, and `fix` names those left out. Responses are those of POST /api/v1/send.
         */
        post: operations["replyToMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/messages/{id}/forward": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Forward a message
         * @description As a person would forward it: its text below `body`, and its attachments. With `include: message` it is one file, as it was received. Responses are those of POST /api/v1/send.
         */
        post: operations["forwardMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/send": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a message
         * @description The message is stored before delivery starts. 200: at least one recipient accepted it, and none is still being tried. 202: delivery is in progress (after 10 seconds, or at once with `Prefer: respond-async`), or it is held for a decision. 502: every recipient was refused permanently. Without an Idempotency-Key, the same request by the same key within two minutes of an answer that was not final, or never arrived, gets the first message's answer, marked `Idempotent-Replayed: true`.
         */
        post: operations["sendMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ask whether a message would be held
         * @description Takes the same body as a send and returns its decision; nothing is stored or sent.
         */
        post: operations["checkMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List what agents sent
         * @description Newest first, of every status; with `status=pending_approval` those that expire soonest first, 100 to a page. A key of one agent sees only that agent's. A page ends early when its held messages have more than 4 MB of texts and files.
         */
        get: operations["listOutbound"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/messages/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a sent message and its delivery status */
        get: operations["getOutbound"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/messages/{id}/raw": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download a sent message
         * @description As it was composed: without the DKIM-Signature that each attempt adds, and without Bcc.
         */
        get: operations["getRawOutbound"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/messages/{id}/attachments/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Download an attachment of a sent message */
        get: operations["getOutboundAttachment"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/messages/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a message
         * @description Cancels it while it is queued, deferred or held. Recipients that already have it keep it.
         */
        post: operations["cancelOutbound"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/messages/{id}/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Release what the loop breaker stopped
         * @description Releases this message, and every other that it holds for the same reason.
         */
        post: operations["releaseOutbound"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/messages/{id}/approve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Approve a held message, with or without changes
         * @description Members in the body replace what the agent wrote; the rest stays. Text and HTML always say the same: a new `body_text` alone regenerates the HTML, a new `body_html` alone the text, and `body_html: ""` drops the HTML; give both to set both. 200: it has left; 202: it is queued (after 10 seconds, or at once with `Prefer: respond-async`). 409: it was already decided, or is not what `content_hash` names; nothing is sent. An agent's key cannot decide.
         */
        post: operations["approveMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/messages/{id}/reject": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reject a held message
         * @description The rejection is final. The agent reads the reason at GET /api/v1/messages/{id}.
         */
        post: operations["rejectMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/messages/{id}/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Undo an approval before the message leaves
         * @description The message waits again, with its expiry and any edits; it can be approved, edited or rejected as before. The agent's `undo_seconds` is the time you have. 409 once delivery to a recipient has started.
         */
        post: operations["undoApproval"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/approve/attachments/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download an attachment through a link of reviewer mail: approve
         * @description Decides nothing. Works as long as the link does.
         */
        get: operations["approveLinkAttachment"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/reject/attachments/{index}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download an attachment through a link of reviewer mail: reject
         * @description Decides nothing. Works as long as the link does.
         */
        get: operations["rejectLinkAttachment"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/approve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Open a link of reviewer mail: approve
         * @description Shows what would leave, and a form. Opening it decides nothing.
         */
        get: operations["showApproveLink"];
        put?: never;
        /**
         * Decide by a link: approve
         * @description A form (application/x-www-form-urlencoded) with `t`, as the page sends it; the link itself works too. Works once.
         */
        post: operations["postApproveLink"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/reject": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Open a link of reviewer mail: reject
         * @description Shows what would leave, and a form. Opening it decides nothing.
         */
        get: operations["showRejectLink"];
        put?: never;
        /**
         * Decide by a link: reject
         * @description A form (application/x-www-form-urlencoded) with `t` and `reason`, as the page sends it; the link itself works too. Works once.
         */
        post: operations["postRejectLink"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List decisions about held mail
         * @description Newest first. The list is only ever added to.
         */
        get: operations["listAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/conversations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List an agent's conversations
         * @description Newest activity first, received and sent messages together.
         */
        get: operations["listConversations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/conversations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List a conversation's messages
         * @description What was received and what was sent, oldest first.
         */
        get: operations["getConversation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/suppressions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List suppressed addresses
         * @description Newest first. Hard bounces and complaints put addresses here; sending to one is 422.
         */
        get: operations["listSuppressions"];
        put?: never;
        /**
         * Suppress an address
         * @description 201 when it is new. One that is there already stays as it is, and is answered with 200.
         */
        post: operations["createSuppression"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/suppressions/{address}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a suppressed address
         * @description 404 when the address is not on the list.
         */
        get: operations["getSuppression"];
        put?: never;
        post?: never;
        /**
         * Take an address off the list
         * @description An address that bounced may bounce again, which hurts the reputation of the server that sends.
         */
        delete: operations["deleteSuppression"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{email}/ws": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Hear of new messages on a WebSocket
         * @description Unread messages first, then live ones, each a text frame with `message_id`, `from`, `subject` and more. `{"ack":"msg_…"}` marks one read. One consumer an agent: a newer one closes the older with 4000.
         */
        get: operations["listen"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events/ws": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow the event log on a WebSocket
         * @description What came after `after`, then live; without it live from now on. Each event is a text frame. Any number of clients may follow; one that reads too slowly is closed with 1013 and goes on from its last event.
         */
        get: operations["followEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List webhooks
         * @description Newest first; all of them unless `page_size` is given.
         */
        get: operations["listWebhooks"];
        put?: never;
        /**
         * Register a webhook for events of the account
         * @description Each event is POSTed as `{type, id, timestamp, data}`, signed by Standard Webhooks with the account's signing secret, and tried again over 75 hours. Events come in no fixed order; `id` is the same with every attempt.
         */
        post: operations["createWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a webhook */
        get: operations["getWebhook"];
        put?: never;
        post?: never;
        /** Delete a webhook with its deliveries */
        delete: operations["deleteWebhook"];
        options?: never;
        head?: never;
        /**
         * Change a webhook
         * @description Only what is given changes. Another `url` enables it, as `status` does; what waited is delivered.
         */
        patch: operations["updateWebhook"];
        trace?: never;
    };
    "/api/v1/webhooks/{id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a test event to a webhook
         * @description A `webhook.test`, whatever types it asked for; `GET /deliveries/{id}` shows its status.
         */
        post: operations["testWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List webhook deliveries
         * @description Newest first. A key of one agent sees those to that one's own webhook.
         */
        get: operations["listDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/redeliver": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry failed deliveries
         * @description Oldest first, at most 1,000 at once; repeat until it answers 0. Leaves out what was already delivered again, and what no longer has a webhook.
         */
        post: operations["redeliverFailed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a delivery with every attempt */
        get: operations["getDelivery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/{id}/redeliver": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry a delivery now
         * @description A waiting delivery becomes due now. A finished one stays as it is; the answer is a new delivery of the same event, with the same `webhook-id` and its own schedule, or the one that is already waiting.
         */
        post: operations["redeliver"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events/schemas": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the JSON Schema of every type of event */
        get: operations["listEventSchemas"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events/schemas/{type}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the JSON Schema of one type of event */
        get: operations["getEventSchema"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the event log
         * @description Oldest first. Keep the last id and give it as `after`: nothing is missed and nothing comes twice, however long you were away, within what is kept (30 days unless configured). A key of one agent sees that one's.
         */
        get: operations["listEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get an event */
        get: operations["getEvent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/domains": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List domains
         * @description Newest first; all of them unless `page_size` is given.
         */
        get: operations["listDomains"];
        put?: never;
        /**
         * Register a domain
         * @description Makes its DKIM keys and tells which DNS records to publish. The claim is yours once verified.
         */
        post: operations["createDomain"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/domains/{domain}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a domain and check its DNS records
         * @description `checks` says for each record what DNS has now, and what to do where the domain has such a record for other uses: its mail and its other senders go on working. Works for the server's shared domain, too.
         */
        get: operations["getDomain"];
        put?: never;
        post?: never;
        /**
         * Delete a domain
         * @description Not while agents use it.
         */
        delete: operations["deleteDomain"];
        options?: never;
        head?: never;
        /**
         * Pause or resume a domain's outbound mail
         * @description Inbound mail is still received. Each pause ends separately: an agent that was paused individually stays paused.
         */
        patch: operations["patchDomain"];
        trace?: never;
    };
    "/api/v1/domains/{domain}/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Verify a domain by its TXT record
         * @description 412 tells what was found instead. A development server takes the record as given.
         */
        post: operations["verifyDomain"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Sign in with a browser
         * @description A page with every way to sign in. With `cli_callback` the browser, once the user has signed in and agreed, posts a form with `cli_state`, `api_key` and `agent_email` there.
         */
        get: operations["signIn"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Come back from Google
         * @description Where the provider sends the browser; it goes on to where the sign-in began.
         */
        get: operations["finishGoogleSignIn"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/callback/oidc": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Return from the OpenID provider
         * @description Where the provider sends the browser; it goes on to where the sign-in began.
         */
        get: operations["finishOidcSignIn"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        User: {
            id: string;
            email: string;
            name: string;
            /** Format: date-time */
            created_at: string;
            /** @description Outbound mail of all agents is frozen. */
            paused: boolean;
        };
        SignedInBrowser: {
            user: components["schemas"]["User"];
            session: {
                id: string;
                /** Format: date-time */
                created_at: string;
                /** Format: date-time */
                expires_at: string;
            };
        };
        Session: {
            id: string;
            /** @description Whether this is the session of the request. */
            current: boolean;
            /**
             * Format: date-time
             * @description When the browser signed in.
             */
            created_at: string;
            /** Format: date-time */
            expires_at: string;
            /**
             * Format: date-time
             * @description To the minute.
             */
            last_used_at?: string;
            /** @description The browser, as it describes itself. */
            user_agent?: string;
            /** @description The address from which it was last used. */
            ip?: string;
        };
        ApiKey: {
            id: string;
            name: string;
            /** @enum {string} */
            scope: "account" | "agent";
            /** @description The one agent that a key of scope `agent` may use. */
            agent: string | null;
            key_prefix: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description To the minute.
             */
            last_used_at: string | null;
        };
        NewApiKey: {
            id: string;
            name: string;
            /** @enum {string} */
            scope: "account" | "agent";
            /** @description The one agent that a key of scope `agent` may use. */
            agent: string | null;
            key_prefix: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description To the minute.
             */
            last_used_at: string | null;
            /** @description Shown only in this answer. */
            key: string;
        };
        SigningSecret: {
            id: string;
            name: string;
            secret_prefix: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            last_signed_at?: string;
        };
        NewSigningSecret: {
            id: string;
            name: string;
            secret_prefix: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            last_signed_at?: string;
            /** @description Shown only in this answer. */
            secret: string;
        };
        Agent: {
            /** @description The address again. */
            id: string;
            domain: string;
            email: string;
            name: string;
            /** @description Empty when the agent has none. */
            webhook_url: string;
            /** @enum {string} */
            webhook_status: "enabled" | "disabled";
            /**
             * Format: date-time
             * @description The time since which every attempt has failed; absent while the endpoint is healthy.
             */
            webhook_failing_since?: string;
            /** @description One sentence. */
            webhook_disabled_reason?: string;
            /** @enum {string} */
            agent_mode: "cloud" | "local";
            domain_verified: boolean;
            /** Format: date-time */
            created_at: string;
            /** @description Whether a person approves outbound mail first. */
            hitl_enabled: boolean;
            hitl_ttl_seconds: number;
            /** @enum {string} */
            hitl_expiration_action: "approve" | "reject";
            hitl_notify_email: boolean;
            /** @description What is held while `hitl_enabled`; null or no rule holds everything. */
            hitl_rules: {
                outside?: boolean;
                first_time?: boolean;
                max_recipients?: number;
                attachments?: boolean;
                new_links?: boolean;
                unverified?: boolean;
                unsearched?: boolean;
                patterns?: string[];
            } | null;
            /** @description Mail only to these addresses and domains is not held. */
            hitl_allow: string[];
            /** @description Told of held mail, in addition to the account's own address. */
            hitl_reviewers: string[];
            /** @description How long each message can be cancelled before it leaves. */
            undo_seconds: number;
            /** @description Outbound mail and deliveries are frozen; inbound mail is still stored. */
            paused: boolean;
        };
        MessageSummary: {
            message_id: string;
            /** @description The bare address of the From field; empty when it has none. */
            from: string;
            from_name: string;
            to: string[];
            cc?: string[];
            reply_to?: string[];
            /** @description The address that the envelope named; of an outbound message, the first. */
            recipient: string;
            subject: string;
            conversation_id: string;
            /** @enum {string} */
            status: "unread" | "read" | "pending_approval" | "queued" | "sending" | "deferred" | "sent" | "delivered" | "bounced" | "failed" | "cancelled" | "rejected" | "expired_approved" | "expired_rejected";
            /**
             * Format: date-time
             * @description When it was received or submitted.
             */
            created_at: string;
            /** @enum {string} */
            direction: "inbound" | "outbound";
            /** @description Whether the From domain itself is proven. */
            verified: boolean;
            verified_domain: string | null;
            snippet: string;
            has_attachments: boolean;
            labels: string[];
            /** @description Set if no person wrote it, such as `auto-replied` (RFC 3834); do not answer such mail automatically. */
            auto_submitted: string | null;
            /** @description The mailing list that it came through (RFC 2919); null for outbound messages. */
            list_id: string | null;
            /** @description Such as `bulk`, `list` or `junk`: do not answer such mail automatically. Null for outbound messages. */
            precedence: string | null;
            /** @description The Message-ID, with its angle brackets, that it says it answers: the first in its In-Reply-To field (RFC 5322). Null for outbound messages. */
            in_reply_to: string | null;
        };
        Attachment: {
            index: number;
            filename: string;
            content_type: string;
            /** @description Decoded, in bytes. */
            size: number;
            content_id?: string;
        };
        /** @description The event that a message invites to, changes, answers or cancels (RFC 5545). */
        Calendar: {
            /** @description What the sender wants: `REQUEST` invites or changes, `CANCEL` cancels, `REPLY` answers (RFC 5546); null if it does not say. */
            method: string | null;
            /** @description The same in every message about this event. */
            uid: string;
            /** @description RFC 3339 with the offset of its time zone, `2026-06-15T10:00:00+02:00`; only a day for an event that takes all day, `2026-06-15`; without an offset if its time zone is unknown. Null if it cannot be read. */
            start: string | null;
            /** @description Like `start`. Exclusive: an event of one whole day ends on the next day. */
            end: string | null;
            summary: string;
            location: string;
            /** @description A bare address. Nothing proves it: see `from` and `verified`. */
            organizer: string | null;
            organizer_name: string;
            /** @description How many are invited. */
            attendees: number;
            /** @description Whether it is a series; `start` and `end` are those of its first event. */
            recurring: boolean;
        };
        Authentication: {
            spf: {
                /** @enum {string} */
                result: "pass" | "fail" | "softfail" | "neutral" | "none" | "temperror" | "permerror";
                domain: string;
            };
            dkim: {
                /** @enum {string} */
                result: "pass" | "fail" | "neutral" | "none" | "policy" | "temperror" | "permerror";
                domain: string;
                selector: string;
                algorithm: string;
                aligned: boolean;
            }[];
            dmarc: {
                /** @enum {string} */
                result: "pass" | "fail" | "none" | "temperror" | "permerror";
                /** @enum {string|null} */
                policy: "none" | "quarantine" | "reject" | null;
                aligned_by: ("spf" | "dkim")[];
            };
            arc: {
                /** @enum {string} */
                result: "pass" | "fail" | "none" | "temperror" | "permerror";
            };
            /** @description If the proof rests on DKIM alone: fields of the message that no proving signature covers, such as `Reply-To`. Any server that relayed the message could have written them. Empty if SPF also aligns, and if nothing is proven. */
            unsigned: string[];
        };
        /** @description Something that was repaired, guessed or left out when the message was read. */
        Defect: {
            /** @description Stable, such as `charset_wrong`; docs/delivery.md lists them. */
            code: string;
            /** @description One sentence for people. */
            detail: string;
        };
        MessageDetail: {
            message_id: string;
            /** @description The bare address of the From field; empty when it has none. */
            from: string;
            from_name: string;
            to: string[];
            cc?: string[];
            reply_to?: string[];
            /** @description The address that the envelope named; of an outbound message, the first. */
            recipient: string;
            subject: string;
            conversation_id: string;
            /** @enum {string} */
            status: "unread" | "read" | "pending_approval" | "queued" | "sending" | "deferred" | "sent" | "delivered" | "bounced" | "failed" | "cancelled" | "rejected" | "expired_approved" | "expired_rejected";
            /**
             * Format: date-time
             * @description When it was received or submitted.
             */
            created_at: string;
            /** @enum {string} */
            direction: "inbound" | "outbound";
            /** @description Whether the From domain itself is proven. */
            verified: boolean;
            verified_domain: string | null;
            snippet: string;
            has_attachments: boolean;
            labels: string[];
            /** @description Set if no person wrote it, such as `auto-replied` (RFC 3834); do not answer such mail automatically. */
            auto_submitted: string | null;
            /** @description The mailing list that it came through (RFC 2919); null for outbound messages. */
            list_id: string | null;
            /** @description Such as `bulk`, `list` or `junk`: do not answer such mail automatically. Null for outbound messages. */
            precedence: string | null;
            /** @description The Message-ID, with its angle brackets, that it says it answers: the first in its In-Reply-To field (RFC 5322). Null for outbound messages. */
            in_reply_to: string | null;
            /** @description X-E2A-Auth-*, signed for this answer with the newest signing secret. */
            auth_headers: {
                [key: string]: string;
            };
            /** @description The stored message: the body hash is over its bytes. */
            raw_message: string;
            envelope_from: string;
            email_message_id: string | null;
            text: string;
            html: string | null;
            /** @description The new part of the text, without quotes. What is forwarded stays. */
            reply_text: string;
            attachments: components["schemas"]["Attachment"][];
            calendar?: components["schemas"]["Calendar"];
            authentication: components["schemas"]["Authentication"];
            headers: {
                name: string;
                value: string;
            }[];
            defects: components["schemas"]["Defect"][];
        };
        AttachedMessage: {
            /** @description The bare address of the From field; empty when it has none. Nothing proves it. */
            from: string;
            from_name: string;
            to: string[];
            cc?: string[];
            reply_to?: string[];
            subject: string;
            /**
             * Format: date-time
             * @description What its Date field says; null if that cannot be read.
             */
            date: string | null;
            email_message_id: string | null;
            text: string;
            html: string | null;
            /** @description The new part of the text, without quotes. What is forwarded stays. */
            reply_text: string;
            attachments: components["schemas"]["Attachment"][];
            calendar?: components["schemas"]["Calendar"];
            headers: {
                name: string;
                value: string;
            }[];
            defects: components["schemas"]["Defect"][];
        };
        InboxMessage: {
            message_id: string;
            /** @description The bare address of the From field; empty when it has none. */
            from: string;
            from_name: string;
            to: string[];
            cc?: string[];
            reply_to?: string[];
            /** @description The address that the envelope named; of an outbound message, the first. */
            recipient: string;
            subject: string;
            conversation_id: string;
            /** @enum {string} */
            status: "unread" | "read" | "pending_approval" | "queued" | "sending" | "deferred" | "sent" | "delivered" | "bounced" | "failed" | "cancelled" | "rejected" | "expired_approved" | "expired_rejected";
            /**
             * Format: date-time
             * @description When it was received or submitted.
             */
            created_at: string;
            /** @enum {string} */
            direction: "inbound" | "outbound";
            /** @description Whether the From domain itself is proven. */
            verified: boolean;
            verified_domain: string | null;
            snippet: string;
            has_attachments: boolean;
            labels: string[];
            /** @description Set if no person wrote it, such as `auto-replied` (RFC 3834); do not answer such mail automatically. */
            auto_submitted: string | null;
            /** @description The mailing list that it came through (RFC 2919); null for outbound messages. */
            list_id: string | null;
            /** @description Such as `bulk`, `list` or `junk`: do not answer such mail automatically. Null for outbound messages. */
            precedence: string | null;
            /** @description The Message-ID, with its angle brackets, that it says it answers: the first in its In-Reply-To field (RFC 5322). Null for outbound messages. */
            in_reply_to: string | null;
            /** @description The mailbox that received it. */
            agent_id: string;
            authentication: components["schemas"]["Authentication"];
        };
        Overview: {
            agents: {
                total: number;
                paused: number;
            };
            /** @description Messages in all mailboxes together. */
            unread: number;
            pending_approval: number;
            deliveries: {
                /** @description Those that will be tried or retried. */
                pending: number;
                failing_endpoints: {
                    /** @description The agent's address, or the account webhook's id. */
                    endpoint_id: string;
                    url: string;
                    /** Format: date-time */
                    failing_since: string;
                    /** @description Deliveries that wait for it. */
                    waiting: number;
                }[];
            };
            domains: {
                total: number;
                verified: number;
            };
            /** @description The last 30 days, today included, oldest first; by the time a message was received or submitted. */
            volume: {
                /**
                 * Format: date
                 * @description In UTC.
                 */
                day: string;
                received: number;
                sent: number;
                /** @description Failed or bounced for every recipient. */
                failed: number;
            }[];
        };
        Recipient: {
            address: string;
            /** @enum {string} */
            status: "held" | "queued" | "sending" | "sent" | "delivered" | "deferred" | "bounced" | "failed" | "cancelled";
            /** @enum {string} */
            method?: "relay" | "smtp" | "capture";
            /** @description The last reply of the next host, or of its bounce. */
            smtp_reply: string | null;
            /** @description Why it has not left, if no reply says so. */
            error: string | null;
            attempts: number;
            /**
             * Format: date-time
             * @description When its status last changed.
             */
            at: string;
            /** Format: date-time */
            next_attempt_at?: string;
        };
        Sent: {
            message_id: string;
            /** @enum {string} */
            status: "sent" | "queued" | "pending_approval" | "cancelled" | "rejected" | "expired_rejected";
            /** @enum {string} */
            method?: "relay" | "smtp" | "capture";
            /** @description The Message-ID, with its angle brackets. */
            email_message_id: string;
            conversation_id: string;
            /** Format: date-time */
            approval_expires_at?: string;
            /** @description Why the message is held. */
            hold?: {
                /** @enum {string} */
                rule: "approval" | "loop" | "pattern" | "unverified" | "new_links" | "unsearched" | "first_time" | "outside" | "attachments" | "max_recipients";
                /** @description One sentence, or two if the gate and the loop breaker both hold it. */
                reason: string;
            };
            recipients: components["schemas"]["Recipient"][];
            /** @description For a reply that left out unproven addresses: which ones, and how to write to them anyway. */
            fix?: string;
        };
        Forecast: {
            /** @enum {string} */
            decision: "send" | "hold";
            /** @description Why the message is held. */
            hold?: {
                /** @enum {string} */
                rule: "approval" | "loop" | "pattern" | "unverified" | "new_links" | "unsearched" | "first_time" | "outside" | "attachments" | "max_recipients";
                /** @description One sentence, or two if the gate and the loop breaker both hold it. */
                reason: string;
            };
            recipients: {
                address: string;
                /** @enum {string} */
                method: "relay" | "smtp" | "capture";
                /** @description The agent has never written to it or heard from it. */
                first_time: boolean;
            }[];
        };
        OutboundAttachment: {
            index: number;
            filename: string;
            content_type: string;
            /** @description Decoded, in bytes. */
            size: number;
            content_id?: string;
            /** @description The file, while the message waits for approval; in answers to GET, unless `data=false`. */
            data?: string;
        };
        /** @description What the agent wrote, when a reviewer changed it. */
        Original: {
            subject: string;
            to: string[];
            cc: string[];
            bcc: string[];
            body_text: string;
            body_html?: string;
            attachments: components["schemas"]["Attachment"][];
        };
        Outbound: {
            id: string;
            agent_id: string;
            /** @enum {string} */
            direction: "outbound";
            subject: string;
            /** @enum {string} */
            type: "send" | "reply" | "forward" | "test" | "notice";
            conversation_id: string;
            /** @description The agent's address. */
            from: string;
            to: string[];
            cc?: string[];
            bcc?: string[];
            reply_to?: string[];
            /** @enum {string} */
            status: "pending_approval" | "queued" | "sending" | "deferred" | "sent" | "delivered" | "bounced" | "failed" | "cancelled" | "rejected" | "expired_approved" | "expired_rejected";
            /** Format: date-time */
            approval_expires_at?: string;
            /** Format: date-time */
            created_at: string;
            email_message_id: string;
            /** @description In lists only while it waits for approval. */
            body_text?: string;
            body_html?: string;
            attachments?: components["schemas"]["OutboundAttachment"][];
            /** @description The upstream's own id of the message. */
            provider_message_id?: string;
            /** @enum {string} */
            method?: "relay" | "smtp" | "capture";
            /** @description Why the message is held. */
            hold?: {
                /** @enum {string} */
                rule: "approval" | "loop" | "pattern" | "unverified" | "new_links" | "unsearched" | "first_time" | "outside" | "attachments" | "max_recipients";
                /** @description One sentence, or two if the gate and the loop breaker both hold it. */
                reason: string;
            };
            /** @description SHA-256 over all recipients and the bytes: identifies what would be sent. */
            content_hash?: string;
            /** @description Recipients that the agent had never written to or heard from. */
            first_time?: string[];
            /** @description In lists only while it waits for approval. */
            links?: {
                /** @description The words of the link. */
                text: string;
                /** @description The host that the link leads to; empty if it has none. */
                host: string;
                url: string;
            }[];
            /** @description Header fields that are sent in addition to the members above: recipients' names, the ids of the thread, the agent's own fields. In lists only while it waits for approval. */
            headers?: {
                name: string;
                value: string;
            }[];
            /** @description While it waits for approval: parts that the server cannot search as text. */
            unsearched?: {
                name: string;
                why: string;
            }[];
            /** @description While it waits for approval: how its HTML differs from its text, and what it hides. Sentences. */
            review_notes?: string[];
            /** @description Whether a reviewer changed it. */
            edited: boolean;
            /** @description The parts that differ from what the agent wrote. */
            edited_parts?: ("to" | "cc" | "bcc" | "subject" | "body_text" | "body_html" | "attachments")[];
            original?: components["schemas"]["Original"];
            /** Format: date-time */
            reviewed_at?: string;
            /** @description An address, or `expiry`. */
            reviewed_by?: string;
            /** @description Why it was not sent; the agent reads it too. */
            rejection_reason?: string;
            recipients: components["schemas"]["Recipient"][];
            /** @description Answers so far, of the recipient with the most. */
            attempts: number;
        };
        Approved: {
            message_id: string;
            /** @enum {string} */
            status: "sent" | "queued" | "pending_approval" | "cancelled" | "rejected" | "expired_rejected";
            /** @enum {string} */
            method?: "relay" | "smtp" | "capture";
            /** @description The Message-ID, with its angle brackets. */
            email_message_id: string;
            conversation_id: string;
            /** Format: date-time */
            approval_expires_at?: string;
            /** @description Why the message is held. */
            hold?: {
                /** @enum {string} */
                rule: "approval" | "loop" | "pattern" | "unverified" | "new_links" | "unsearched" | "first_time" | "outside" | "attachments" | "max_recipients";
                /** @description One sentence, or two if the gate and the loop breaker both hold it. */
                reason: string;
            };
            recipients: components["schemas"]["Recipient"][];
            /** @description For a reply that left out unproven addresses: which ones, and how to write to them anyway. */
            fix?: string;
            /** @description Whether it is not what the agent wrote. */
            edited: boolean;
            /** @description The parts that differ from what the agent wrote. */
            edited_parts?: ("to" | "cc" | "bcc" | "subject" | "body_text" | "body_html" | "attachments")[];
            /** @description The upstream's own id of the message. */
            provider_message_id?: string;
            /** @description SHA-256 over all recipients and the bytes: identifies what would be sent. */
            content_hash: string;
        };
        Rejected: {
            message_id: string;
            /** @enum {string} */
            status: "rejected";
            rejection_reason: string;
        };
        AuditEntry: {
            id: string;
            /** Format: date-time */
            at: string;
            /** @enum {string} */
            action: "approve" | "edit_approve" | "reject" | "expire_approve" | "expire_reject" | "release" | "undo";
            /** @description The address of the person who decided, or `expiry`. */
            by: string;
            /** @enum {string} */
            how: "api" | "session" | "cli" | "link" | "expiry";
            /** @description Where the decision came from. */
            ip?: string;
            message_id: string;
            agent_id: string;
            /** @description The content that was decided about; after an edit, the content that left. */
            content_hash: string;
            detail?: {
                /** @description For a rejection. */
                reason?: string;
                before?: components["schemas"]["Original"];
                /** @description The parts that the edit changed. */
                changed?: ("to" | "cc" | "bcc" | "subject" | "body_text" | "body_html" | "attachments")[];
            };
        };
        Conversation: {
            conversation_id: string;
            /** @description The subject of its first message. */
            subject: string;
            /** @description Its senders and recipients, except the agent; at most 50. */
            participants: string[];
            /** @description In both directions. */
            message_count: number;
            unread_count: number;
            /** Format: date-time */
            last_message_at: string;
            last_message: {
                message_id: string;
                /** @enum {string} */
                direction: "inbound" | "outbound";
                from: string;
                /** @description Whether the From domain itself is proven. */
                verified: boolean;
                snippet: string;
            };
        };
        Suppression: {
            address: string;
            /** @enum {string} */
            reason: "bounce" | "complaint" | "manual";
            /** @description The reply or report that led to it, or a person's note. */
            detail: string;
            /** @description The outbound message that bounced or was complained about. */
            message_id?: string;
            /** Format: date-time */
            created_at: string;
        };
        Webhook: {
            id: string;
            url: string;
            /** @description The types it receives; empty means all. */
            events: ("message.received" | "message.sent" | "message.delivered" | "message.deferred" | "message.failed" | "message.bounced" | "message.complained" | "message.held" | "message.approved" | "message.rejected" | "message.expired" | "domain.verified" | "domain.degraded" | "loop.stopped" | "webhook.disabled" | "webhook.test")[];
            /** @description Only events about these agents; empty means all events. */
            agents: string[];
            description: string;
            /** @enum {string} */
            status: "enabled" | "disabled";
            /**
             * Format: date-time
             * @description The time since which every attempt has failed; absent while the endpoint is healthy.
             */
            failing_since?: string;
            /** Format: date-time */
            disabled_at?: string;
            /** @description One sentence. */
            disabled_reason?: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        Delivery: {
            id: string;
            /** @description Sent as `webhook-id`, the same in every attempt. */
            event_id: string;
            /** @enum {string} */
            event_type: "message.received" | "message.sent" | "message.delivered" | "message.deferred" | "message.failed" | "message.bounced" | "message.complained" | "message.held" | "message.approved" | "message.rejected" | "message.expired" | "domain.verified" | "domain.degraded" | "loop.stopped" | "webhook.disabled" | "webhook.test";
            /** @description For an agent's own webhook, which gets the whole message. */
            message_id?: string;
            /** @description The agent that the event is about. */
            agent_id?: string;
            /** @description Absent for an agent's own webhook. */
            webhook_id?: string;
            /** @description The webhook's id; for an agent's own webhook, the agent's address. */
            endpoint_id: string;
            /** @description The endpoint's current URL; absent if it no longer has one. */
            url?: string;
            /** @enum {string} */
            status: "pending" | "paused" | "succeeded" | "failed";
            /** @description Made so far. */
            attempts: number;
            /**
             * Format: date-time
             * @description Absent while an attempt is in progress, and if no automatic attempt will follow.
             */
            next_attempt_at?: string;
            /** @description HTTP status of the last answer. */
            last_status?: number;
            /** @description Why the last attempt got no answer. */
            last_error?: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at?: string;
        };
        DeliveryDetail: {
            id: string;
            /** @description Sent as `webhook-id`, the same in every attempt. */
            event_id: string;
            /** @enum {string} */
            event_type: "message.received" | "message.sent" | "message.delivered" | "message.deferred" | "message.failed" | "message.bounced" | "message.complained" | "message.held" | "message.approved" | "message.rejected" | "message.expired" | "domain.verified" | "domain.degraded" | "loop.stopped" | "webhook.disabled" | "webhook.test";
            /** @description For an agent's own webhook, which gets the whole message. */
            message_id?: string;
            /** @description The agent that the event is about. */
            agent_id?: string;
            /** @description Absent for an agent's own webhook. */
            webhook_id?: string;
            /** @description The webhook's id; for an agent's own webhook, the agent's address. */
            endpoint_id: string;
            /** @description The endpoint's current URL; absent if it no longer has one. */
            url?: string;
            /** @enum {string} */
            status: "pending" | "paused" | "succeeded" | "failed";
            /** @description Made so far. */
            attempts: number;
            /**
             * Format: date-time
             * @description Absent while an attempt is in progress, and if no automatic attempt will follow.
             */
            next_attempt_at?: string;
            /** @description HTTP status of the last answer. */
            last_status?: number;
            /** @description Why the last attempt got no answer. */
            last_error?: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at?: string;
            /** @description Every attempt, the first one first. */
            tries: {
                /** @description From 1. */
                attempt: number;
                /** Format: date-time */
                started_at: string;
                duration_ms: number;
                /** @description HTTP status; null when there was no answer. */
                status: number | null;
                /** @description Why there was no answer. */
                error: string | null;
                /** @description The first KiB of the response body. */
                answer: string | null;
            }[];
        };
        MessageReceivedEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.received";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                /** @description The Message-ID field; null when it has none. */
                email_message_id: string | null;
                /** @description The From field's address. Believe it only when `verified`. */
                from: string;
                /** @description The envelope's recipient, sub-address included. */
                recipient: string;
                /** @description Up to 1,000 characters. */
                subject: string;
                snippet: string;
                has_attachments: boolean;
                calendar?: components["schemas"]["Calendar"];
                /** @enum {string} */
                entity_type: "human" | "agent";
                /** @description The From domain itself is proven. */
                verified: boolean;
                verified_domain: string | null;
                /** @description Set if no person wrote it, such as `auto-replied` (RFC 3834); do not answer such mail automatically. */
                auto_submitted: string | null;
                /** @description The mailing list that it came through (RFC 2919); null for outbound messages. */
                list_id: string | null;
                /** @description Such as `bulk`, `list` or `junk`: do not answer such mail automatically. Null for outbound messages. */
                precedence: string | null;
                /** @description The Message-ID, with its angle brackets, that it says it answers: the first in its In-Reply-To field (RFC 5322). Null for outbound messages. */
                in_reply_to: string | null;
                /** Format: date-time */
                received_at: string;
            };
        };
        MessageSentEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.sent";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                /** @description The Message-ID field. */
                email_message_id: string;
                /** @description The recipient that this is about. */
                recipient: string;
                /** @enum {string} */
                status: "held" | "queued" | "sending" | "sent" | "delivered" | "deferred" | "bounced" | "failed" | "cancelled";
                /**
                 * @description How it left; null when it did not.
                 * @enum {string|null}
                 */
                method: "relay" | "smtp" | "capture" | null;
                /** @description The last reply of the next host, or what its bounce says. */
                smtp_reply: string | null;
                /** @description Why it did not leave, if no reply says so. */
                error: string | null;
                attempts: number;
            };
        };
        MessageDeliveredEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.delivered";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                /** @description The Message-ID field. */
                email_message_id: string;
                /** @description The recipient that this is about. */
                recipient: string;
                /** @enum {string} */
                status: "held" | "queued" | "sending" | "sent" | "delivered" | "deferred" | "bounced" | "failed" | "cancelled";
                /**
                 * @description How it left; null when it did not.
                 * @enum {string|null}
                 */
                method: "relay" | "smtp" | "capture" | null;
                /** @description The last reply of the next host, or what its bounce says. */
                smtp_reply: string | null;
                /** @description Why it did not leave, if no reply says so. */
                error: string | null;
                attempts: number;
            };
        };
        MessageDeferredEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.deferred";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                /** @description The Message-ID field. */
                email_message_id: string;
                /** @description The recipient that this is about. */
                recipient: string;
                /** @enum {string} */
                status: "held" | "queued" | "sending" | "sent" | "delivered" | "deferred" | "bounced" | "failed" | "cancelled";
                /**
                 * @description How it left; null when it did not.
                 * @enum {string|null}
                 */
                method: "relay" | "smtp" | "capture" | null;
                /** @description The last reply of the next host, or what its bounce says. */
                smtp_reply: string | null;
                /** @description Why it did not leave, if no reply says so. */
                error: string | null;
                attempts: number;
            };
        };
        MessageFailedEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.failed";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                /** @description The Message-ID field. */
                email_message_id: string;
                /** @description The recipient that this is about. */
                recipient: string;
                /** @enum {string} */
                status: "held" | "queued" | "sending" | "sent" | "delivered" | "deferred" | "bounced" | "failed" | "cancelled";
                /**
                 * @description How it left; null when it did not.
                 * @enum {string|null}
                 */
                method: "relay" | "smtp" | "capture" | null;
                /** @description The last reply of the next host, or what its bounce says. */
                smtp_reply: string | null;
                /** @description Why it did not leave, if no reply says so. */
                error: string | null;
                attempts: number;
            };
        };
        MessageBouncedEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.bounced";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                /** @description The Message-ID field. */
                email_message_id: string;
                /** @description The recipient that this is about. */
                recipient: string;
                /** @enum {string} */
                status: "held" | "queued" | "sending" | "sent" | "delivered" | "deferred" | "bounced" | "failed" | "cancelled";
                /**
                 * @description How it left; null when it did not.
                 * @enum {string|null}
                 */
                method: "relay" | "smtp" | "capture" | null;
                /** @description The last reply of the next host, or what its bounce says. */
                smtp_reply: string | null;
                /** @description Why it did not leave, if no reply says so. */
                error: string | null;
                attempts: number;
            };
        };
        MessageComplainedEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.complained";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                /** @description The Message-ID field. */
                email_message_id: string;
                /** @description The recipient that this is about. */
                recipient: string;
                /** @enum {string} */
                status: "held" | "queued" | "sending" | "sent" | "delivered" | "deferred" | "bounced" | "failed" | "cancelled";
                /**
                 * @description How it left; null when it did not.
                 * @enum {string|null}
                 */
                method: "relay" | "smtp" | "capture" | null;
                /** @description The last reply of the next host, or what its bounce says. */
                smtp_reply: string | null;
                /** @description Why it did not leave, if no reply says so. */
                error: string | null;
                attempts: number;
            };
        };
        MessageHeldEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.held";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                subject: string;
                /** @description The first 50 of them. */
                recipients: string[];
                /** @description Which rule holds it: `approval` holds everything, `loop` is the loop breaker. */
                rule: string;
                /** @description A sentence for readers. */
                reason: string;
                /** Format: date-time */
                approval_expires_at: string | null;
                /** @description The person who undid the approval, so that the message waits again. */
                withdrawn_by?: string;
            };
        };
        MessageApprovedEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.approved";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                /** @description The address of the person who decided. */
                by: string;
                /** @enum {string} */
                how: "api" | "session" | "cli" | "link" | "expiry";
                edited: boolean;
            };
        };
        MessageRejectedEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.rejected";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                /** @description The address of the person who decided. */
                by: string;
                /** @enum {string} */
                how: "api" | "session" | "cli" | "link" | "expiry";
                rejection_reason: string;
            };
        };
        MessageExpiredEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "message.expired";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                /** @enum {string} */
                action: "approve" | "reject";
                rejection_reason: string | null;
            };
        };
        DomainVerifiedEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "domain.verified";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                domain: string;
            };
        };
        DomainDegradedEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "domain.degraded";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                domain: string;
                problems: {
                    record: string;
                    /** @enum {string} */
                    status: "missing" | "mismatch";
                }[];
            };
        };
        LoopStoppedEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "loop.stopped";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                message_id: string;
                /** @description The agent's address. */
                agent_id: string;
                conversation_id: string;
                subject: string;
                /** @description The first 50 of them. */
                recipients: string[];
                /** @description Which rule holds it: `approval` holds everything, `loop` is the loop breaker. */
                rule: string;
                /** @description A sentence for readers. */
                reason: string;
                /** @description The request that releases it. */
                release: string;
            };
        };
        WebhookDisabledEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "webhook.disabled";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                /** @description The webhook's id; for an agent's own webhook, the agent's address. */
                endpoint_id: string;
                webhook_id: string | null;
                agent_id: string | null;
                url: string;
                /** @description One sentence. */
                reason: string;
                /** Format: date-time */
                failing_since: string | null;
            };
        };
        WebhookTestEvent: {
            /** @description The same in the log, in every webhook and on the WebSocket. */
            id: string;
            /** @constant */
            type: "webhook.test";
            /** Format: date-time */
            timestamp: string;
            /** @description The agent it is about. */
            agent_id?: string;
            data: {
                webhook_id: string;
                url: string;
            };
        };
        Event: components["schemas"]["MessageReceivedEvent"] | components["schemas"]["MessageSentEvent"] | components["schemas"]["MessageDeliveredEvent"] | components["schemas"]["MessageDeferredEvent"] | components["schemas"]["MessageFailedEvent"] | components["schemas"]["MessageBouncedEvent"] | components["schemas"]["MessageComplainedEvent"] | components["schemas"]["MessageHeldEvent"] | components["schemas"]["MessageApprovedEvent"] | components["schemas"]["MessageRejectedEvent"] | components["schemas"]["MessageExpiredEvent"] | components["schemas"]["DomainVerifiedEvent"] | components["schemas"]["DomainDegradedEvent"] | components["schemas"]["LoopStoppedEvent"] | components["schemas"]["WebhookDisabledEvent"] | components["schemas"]["WebhookTestEvent"];
        Domain: {
            domain: string;
            verified: boolean;
            /** @description Empty for the server's own domain. */
            verification_token: string;
            dns_records: {
                mx: {
                    /** @description `@`: the domain itself. `name` is its whole name. */
                    host: string;
                    /** @description The whole name of the record. */
                    name: string;
                    value: string;
                    priority: number;
                };
                txt?: {
                    /** @description `@`: the domain itself. `name` is its whole name. */
                    host: string;
                    /** @description The whole name of the record. */
                    name: string;
                    value: string;
                };
                spf: {
                    host: string;
                    /** @description The whole name of the record. */
                    name: string;
                    value: string;
                };
                dmarc: {
                    host: string;
                    /** @description The whole name of the record. */
                    name: string;
                    value: string;
                };
                dkim?: {
                    host: string;
                    /** @description The whole name of the record. */
                    name: string;
                    value: string;
                };
                dkim_ed25519?: {
                    host: string;
                    /** @description The whole name of the record. */
                    name: string;
                    value: string;
                };
            };
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            verified_at?: string;
            /**
             * Format: date-time
             * @description The time since which published records are missing; `checks` says which.
             */
            degraded_at?: string;
            /** @description Outbound mail of all its agents is frozen. */
            paused: boolean;
            checks?: {
                /** @enum {string} */
                record: "mx" | "txt" | "dkim" | "dkim_ed25519" | "spf" | "dmarc";
                /** @enum {string} */
                status: "ok" | "missing" | "mismatch";
                /** @description What is published instead. */
                found?: string[];
                /** @description Why DNS did not answer. */
                error?: string;
                /** @description What to do about it. */
                advice?: string;
                /** @description The value to publish in place of everything that was found: the existing records and ours combined. */
                merged?: string;
                /** @description A domain to use for agents, if this one receives its mail elsewhere. */
                suggested_domain?: string;
                /** @description DNS look-ups of the SPF record, merged if there is one; 11: more than 10. */
                lookups?: number;
            }[];
        };
        Problem: {
            /** Format: uri-reference */
            type: string;
            title: string;
            status: number;
            detail: string;
            /** @description Stable; branch on it. */
            code: string;
            /** @description What to do next, in one sentence. */
            fix?: string;
            request_id: string;
            errors?: {
                field: string;
                message: string;
            }[];
        };
        WebhookMessage: {
            /** @constant */
            type: "message.received";
            /** @description The same in the event log. */
            event_id: string;
            message_id: string;
            conversation_id: string;
            /** @description The From field's address. Believe it only when `verified`. */
            from: string;
            from_name: string;
            to: string[];
            cc?: string[];
            reply_to?: string[];
            /** @description The envelope's recipient, sub-address included. */
            recipient: string;
            subject: string;
            /** Format: date-time */
            received_at: string;
            /** @description Whether the From domain itself is proven. */
            verified: boolean;
            /** @description Set if no person wrote it, such as `auto-replied` (RFC 3834); do not answer such mail automatically. */
            auto_submitted: string | null;
            /** @description The mailing list that it came through (RFC 2919); null for outbound messages. */
            list_id: string | null;
            /** @description Such as `bulk`, `list` or `junk`: do not answer such mail automatically. Null for outbound messages. */
            precedence: string | null;
            /** @description The Message-ID, with its angle brackets, that it says it answers: the first in its In-Reply-To field (RFC 5322). Null for outbound messages. */
            in_reply_to: string | null;
            authentication: components["schemas"]["Authentication"];
            /** @description X-E2A-Auth-*, signed for this answer with the newest signing secret. */
            auth_headers: {
                [key: string]: string;
            };
            text: string;
            html: string | null;
            /** @description The new part of the text, without quotes. What is forwarded stays. */
            reply_text: string;
            attachments: components["schemas"]["Attachment"][];
            calendar?: components["schemas"]["Calendar"];
            defects: components["schemas"]["Defect"][];
            /** @description The stored message: the body hash is over its bytes. */
            raw_message: string;
        };
        MessageFrame: {
            /** @constant */
            type: "message.received";
            /** @description The same in the event log. */
            event_id: string;
            message_id: string;
            conversation_id: string;
            /** @description The From field's address. Believe it only when `verified`. */
            from: string;
            /** @description The envelope's recipient, sub-address included. */
            recipient: string;
            /** @description Up to 998 characters. */
            subject: string;
            /** Format: date-time */
            received_at: string;
            /** @description Whether the From domain itself is proven. */
            verified: boolean;
            /** @description Set if no person wrote it, such as `auto-replied` (RFC 3834); do not answer such mail automatically. */
            auto_submitted: string | null;
            /** @description The mailing list that it came through (RFC 2919); null for outbound messages. */
            list_id: string | null;
            /** @description Such as `bulk`, `list` or `junk`: do not answer such mail automatically. Null for outbound messages. */
            precedence: string | null;
            /** @description The Message-ID, with its angle brackets, that it says it answers: the first in its In-Reply-To field (RFC 5322). Null for outbound messages. */
            in_reply_to: string | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status: "ok";
                    };
                };
            };
        };
    };
    getReady: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status: "ready";
                    };
                };
            };
        };
    };
    getInfo: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        shared_domain: string;
                        slug_registration_enabled: boolean;
                        /** @description Mail to the outside is kept and shown here, and does not leave: a development server. */
                        captures_mail: boolean;
                        public_url?: string;
                        version: string;
                    };
                };
            };
        };
    };
    getOpenApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description An OpenAPI 3.1 document */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
        };
    };
    getDocs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": unknown;
                };
            };
        };
    };
    getMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        id: string;
                        email: string;
                        name: string;
                        /** Format: date-time */
                        created_at: string;
                        /** @description Outbound mail of all agents is frozen. */
                        paused: boolean;
                        /** @enum {string} */
                        scope: "account" | "agent";
                        /** @description The one agent that the calling key may use. */
                        agent: string | null;
                    };
                };
            };
        };
    };
    deleteAccount: {
        parameters: {
            query: {
                /** @description Required, so that nothing is deleted by accident. */
                confirm: "DELETE";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        deleted: {
                            agents: number;
                            messages: number;
                            outbound_messages: number;
                            domains: number;
                            keys: number;
                            secrets: number;
                            suppressions: number;
                            webhooks: number;
                        };
                    };
                };
            };
        };
    };
    patchMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "paused": true
                 *     }
                 */
                "application/json": {
                    /** @description Freezes outbound mail of all agents. */
                    paused: boolean;
                };
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        id: string;
                        email: string;
                        name: string;
                        /** Format: date-time */
                        created_at: string;
                        /** @description Outbound mail of all agents is frozen. */
                        paused: boolean;
                        /** @enum {string} */
                        scope: "account" | "agent";
                        /** @description The one agent that the calling key may use. */
                        agent: string | null;
                    };
                };
            };
        };
    };
    exportAccount: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The export */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
        };
    };
    getSignInMethods: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description There is no account yet; the first person to sign in creates it. */
                        first_account: boolean;
                        google: boolean;
                        /** @description The other OpenID provider, and what it is called. */
                        oidc: {
                            name: string;
                        } | null;
                        /** @description Whether a sign-in link can be mailed. A key and the console's link always work. */
                        email_link: boolean;
                    };
                };
            };
        };
    };
    getSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description SignedInBrowser */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignedInBrowser"];
                };
            };
        };
    };
    signInWithKey: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "api_key": "e2a_…"
                 *     }
                 */
                "application/json": {
                    /** @description A key of the account; one of an agent is not enough. */
                    api_key: string;
                };
            };
        };
        responses: {
            /** @description SignedInBrowser */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignedInBrowser"];
                };
            };
        };
    };
    mailSignInLink: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "email": "you@example.com"
                 *     }
                 */
                "application/json": {
                    email: string;
                    /** @description A path of this server, for afterwards. */
                    return_to?: string;
                };
            };
        };
        responses: {
            /** @description Done */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status: "accepted";
                    };
                };
            };
        };
    };
    logOut: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed out */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    listSessions: {
        parameters: {
            query?: {
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        sessions: components["schemas"]["Session"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    deleteSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed out */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    listKeys: {
        parameters: {
            query?: {
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        keys: components["schemas"]["ApiKey"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    createKey: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "name": "inbox reader",
                 *       "scope": "agent",
                 *       "agent": "my-bot@agents.example.com"
                 *     }
                 */
                "application/json": {
                    /** @description What it is for. */
                    name: string;
                    /**
                     * @description `agent`: only this inbox, and sending from it.
                     * @enum {string}
                     */
                    scope: "account" | "agent";
                    /** @description The agent's address, for scope `agent`. */
                    agent?: string;
                    /** Format: date-time */
                    expires_at?: string;
                };
            };
        };
        responses: {
            /** @description NewApiKey */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewApiKey"];
                };
            };
        };
    };
    deleteKey: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Revoked */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    listSigningSecrets: {
        parameters: {
            query?: {
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        secrets: components["schemas"]["SigningSecret"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    createSigningSecret: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "name": "2026"
                 *     }
                 */
                "application/json": {
                    name?: string;
                };
            };
        };
        responses: {
            /** @description NewSigningSecret */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewSigningSecret"];
                };
            };
        };
    };
    deleteSigningSecret: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    listAgents: {
        parameters: {
            query?: {
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        agents: components["schemas"]["Agent"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    createAgent: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "slug": "my-bot",
                 *       "agent_mode": "local"
                 *     }
                 */
                "application/json": {
                    /** @description Makes `<slug>@<shared domain>`. Give this or `email`. */
                    slug?: string;
                    /** @description An address on a verified domain of yours. */
                    email?: string;
                    /** @description Shown as the sender's name. */
                    name?: string;
                    /** @description Where a cloud agent's mail is POSTed; https. */
                    webhook_url?: string;
                    /**
                     * @description `cloud` gets webhooks; `local` listens on a WebSocket or polls.
                     * @default cloud
                     * @enum {string}
                     */
                    agent_mode?: "cloud" | "local";
                };
            };
        };
        responses: {
            /** @description Agent */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
        };
    };
    getAgent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Agent */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
        };
    };
    updateAgent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "name": "My bot",
                 *       "paused": true
                 *     }
                 */
                "application/json": {
                    /** @description Shown as the sender's name. */
                    name?: string;
                    /** @description Empty removes it; a cloud agent needs one. */
                    webhook_url?: string;
                    /**
                     * @description `cloud` gets webhooks; `local` listens on a WebSocket or polls.
                     * @enum {string}
                     */
                    agent_mode?: "cloud" | "local";
                    /** @description Hold outbound mail until a person approves it. Rules without it switch it on. */
                    hitl_enabled?: boolean;
                    hitl_ttl_seconds?: number;
                    /** @enum {string} */
                    hitl_expiration_action?: "approve" | "reject";
                    hitl_notify_email?: boolean;
                    /** @description Mail that matches any of these is held; any rule switches the gate on. null, or no rule, holds everything. */
                    hitl_rules?: {
                        /** @description A recipient is not an agent of this account. */
                        outside?: boolean;
                        /** @description A recipient that the agent has neither written to nor received verified mail from. */
                        first_time?: boolean;
                        /** @description There are more recipients. */
                        max_recipients?: number;
                        attachments?: boolean;
                        /** @description A link to a host that a recipient has not seen in the conversation. */
                        new_links?: boolean;
                        /** @description The conversation or a recipient has mail from an unverified sender. */
                        unverified?: boolean;
                        /** @description A part that cannot be searched for patterns and links: binary, encrypted or too large. */
                        unsearched?: boolean;
                        /** @description `secrets` (API keys, private keys), or words with `*` for anything. */
                        patterns?: string[];
                    } | null;
                    /** @description Addresses and whole domains. Mail only to these is not held. */
                    hitl_allow?: string[];
                    /** @description Addresses that get mail about held messages, in addition to the account's own. */
                    hitl_reviewers?: string[];
                    /** @description How long a message can be cancelled before it leaves. */
                    undo_seconds?: number;
                    /**
                     * @description `disabled` keeps deliveries until it is enabled again; a new `webhook_url` enables it too.
                     * @enum {string}
                     */
                    webhook_status?: "enabled" | "disabled";
                    /** @description Freezes outbound mail and deliveries; `false` releases them. */
                    paused?: boolean;
                };
            };
        };
        responses: {
            /** @description Agent */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
        };
    };
    deleteAgent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status: "deleted";
                    };
                };
            };
        };
    };
    patchAgent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description Shown as the sender's name. */
                    name?: string;
                    /** @description Empty removes it; a cloud agent needs one. */
                    webhook_url?: string;
                    /**
                     * @description `cloud` gets webhooks; `local` listens on a WebSocket or polls.
                     * @enum {string}
                     */
                    agent_mode?: "cloud" | "local";
                    /** @description Hold outbound mail until a person approves it. Rules without it switch it on. */
                    hitl_enabled?: boolean;
                    hitl_ttl_seconds?: number;
                    /** @enum {string} */
                    hitl_expiration_action?: "approve" | "reject";
                    hitl_notify_email?: boolean;
                    /** @description Mail that matches any of these is held; any rule switches the gate on. null, or no rule, holds everything. */
                    hitl_rules?: {
                        /** @description A recipient is not an agent of this account. */
                        outside?: boolean;
                        /** @description A recipient that the agent has neither written to nor received verified mail from. */
                        first_time?: boolean;
                        /** @description There are more recipients. */
                        max_recipients?: number;
                        attachments?: boolean;
                        /** @description A link to a host that a recipient has not seen in the conversation. */
                        new_links?: boolean;
                        /** @description The conversation or a recipient has mail from an unverified sender. */
                        unverified?: boolean;
                        /** @description A part that cannot be searched for patterns and links: binary, encrypted or too large. */
                        unsearched?: boolean;
                        /** @description `secrets` (API keys, private keys), or words with `*` for anything. */
                        patterns?: string[];
                    } | null;
                    /** @description Addresses and whole domains. Mail only to these is not held. */
                    hitl_allow?: string[];
                    /** @description Addresses that get mail about held messages, in addition to the account's own. */
                    hitl_reviewers?: string[];
                    /** @description How long a message can be cancelled before it leaves. */
                    undo_seconds?: number;
                    /**
                     * @description `disabled` keeps deliveries until it is enabled again; a new `webhook_url` enables it too.
                     * @enum {string}
                     */
                    webhook_status?: "enabled" | "disabled";
                    /** @description Freezes outbound mail and deliveries; `false` releases them. */
                    paused?: boolean;
                };
            };
        };
        responses: {
            /** @description Agent */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
                };
            };
        };
    };
    testAgent: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status: "sent";
                        message_id: string;
                    };
                };
            };
        };
    };
    listMessages: {
        parameters: {
            query?: {
                status?: "unread" | "read" | "all";
                /** @description Words that each begin a word of the subject, addresses, text or file names. */
                q?: string;
                /** @description The From address. */
                from?: string;
                conversation_id?: string;
                label?: string;
                /** @description Received at or after this time. */
                since?: string;
                /** @description Received before this time. */
                until?: string;
                /** @description `asc`: oldest first. */
                sort?: "asc" | "desc";
                /** @description `outbound`: what the agent sent, of every status; `q` cannot be used with it. */
                direction?: "inbound" | "outbound";
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        messages: components["schemas"]["MessageSummary"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    waitForMessages: {
        parameters: {
            query?: {
                /** @description Seconds to wait at most. */
                timeout?: number;
            };
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        messages: components["schemas"]["MessageSummary"][];
                    };
                };
            };
        };
    };
    getMessage: {
        parameters: {
            query?: {
                /** @description Leave it unread. */
                peek?: boolean;
                /** @description `false` leaves `raw_message` empty: it may have 25 MB and more. */
                raw?: boolean;
            };
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description MessageDetail */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageDetail"];
                };
            };
        };
    };
    deleteMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    updateMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "status": "unread",
                 *       "add_labels": [
                 *         "later"
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @enum {string} */
                    status?: "unread" | "read";
                    add_labels?: string[];
                    remove_labels?: string[];
                };
            };
        };
        responses: {
            /** @description MessageSummary */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageSummary"];
                };
            };
        };
    };
    getRawMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The message */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "message/rfc822": unknown;
                };
            };
        };
    };
    getAttachment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
                /** @description The resource's id. */
                id: string;
                /** @description The attachment's place in the message, from 0. */
                index: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The decoded attachment */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "*/*": unknown;
                };
            };
        };
    };
    getAttachedMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
                /** @description The resource's id. */
                id: string;
                /** @description The attachment's place in the message, from 0. */
                index: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description AttachedMessage */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AttachedMessage"];
                };
            };
        };
    };
    showMessageHtml: {
        parameters: {
            query?: {
                /** @description Load remote pictures, which tells their servers that the message was opened. */
                images?: boolean;
            };
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page for a sandboxed frame */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": unknown;
                };
            };
        };
    };
    showOutboundHtml: {
        parameters: {
            query?: {
                /** @description Load remote pictures, which tells their servers that the message was opened. */
                images?: boolean;
            };
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page for a sandboxed frame */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": unknown;
                };
            };
        };
    };
    listInbox: {
        parameters: {
            query?: {
                status?: "unread" | "read" | "all";
                /** @description Words that each begin a word of the subject, addresses, text or file names. */
                q?: string;
                /** @description Only what this agent has received. */
                agent?: string;
                /** @description The From address. */
                from?: string;
                label?: string;
                /** @description Received at or after this time. */
                since?: string;
                /** @description Received before this time. */
                until?: string;
                /** @description `desc`: newest first. */
                sort?: "asc" | "desc";
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        messages: components["schemas"]["InboxMessage"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    getOverview: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Overview */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Overview"];
                };
            };
        };
    };
    replyToMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "body": "Thank you.",
                 *       "reply_all": true
                 *     }
                 */
                "application/json": {
                    /** @description Plain text. */
                    body: string;
                    /**
                     * @description Also to everyone else who received the message.
                     * @default false
                     */
                    reply_all?: boolean;
                    /**
                     * @description Adds the answered message below `body` (and `html_body`), as mail programs quote it.
                     * @default false
                     */
                    quote_history?: boolean;
                    html_body?: string;
                    cc?: string[] | string;
                    /** @description Hidden from the other recipients. */
                    bcc?: string[] | string;
                    /** @description By default, the conversation of the message it answers, or a new one. */
                    conversation_id?: string;
                    attachments?: {
                        /** @description 1 to 255 characters without slashes. */
                        filename: string;
                        /** @description Default: application/octet-stream. */
                        content_type?: string;
                        data: string;
                        /** @description For a picture that the HTML shows as `cid:…`. */
                        content_id?: string;
                    }[];
                    /** @description Further header fields, such as List-Unsubscribe. */
                    headers?: {
                        [key: string]: string;
                    };
                };
            };
        };
        responses: {
            /** @description Sent */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sent"];
                };
            };
            /** @description Sent */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sent"];
                };
            };
        };
    };
    forwardMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "to": [
                 *         "bob@example.com"
                 *       ],
                 *       "body": "For you."
                 *     }
                 */
                "application/json": {
                    to?: string[] | string;
                    /** @description Plain text. */
                    body?: string;
                    /**
                     * @description The files to include: the whole message as one file, its attachments, or none. By default its attachments, with `quote_history`.
                     * @enum {string}
                     */
                    include?: "message" | "attachments" | "none";
                    /** @description Adds the message's text and HTML below `body`, under its From, Date, Subject and To. By default, only if `include` is not given. */
                    quote_history?: boolean;
                    html_body?: string;
                    cc?: string[] | string;
                    /** @description Hidden from the other recipients. */
                    bcc?: string[] | string;
                    /** @description By default, the conversation of the message it answers, or a new one. */
                    conversation_id?: string;
                    attachments?: {
                        /** @description 1 to 255 characters without slashes. */
                        filename: string;
                        /** @description Default: application/octet-stream. */
                        content_type?: string;
                        data: string;
                        /** @description For a picture that the HTML shows as `cid:…`. */
                        content_id?: string;
                    }[];
                    /** @description Further header fields, such as List-Unsubscribe. */
                    headers?: {
                        [key: string]: string;
                    };
                };
            };
        };
        responses: {
            /** @description Sent */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sent"];
                };
            };
            /** @description Sent */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sent"];
                };
            };
        };
    };
    sendMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "from": "my-bot@agents.example.com",
                 *       "to": [
                 *         "bob@example.com"
                 *       ],
                 *       "subject": "Hello",
                 *       "body": "Good day."
                 *     }
                 */
                "application/json": {
                    /** @description The agent's address; optional for a key of one agent, or if the account has one agent. */
                    from?: string;
                    /** @description `a@b.example` or `Name <a@b.example>`. */
                    to?: string[] | string;
                    subject: string;
                    /** @description Plain text. */
                    body: string;
                    html_body?: string;
                    cc?: string[] | string;
                    /** @description Hidden from the other recipients. */
                    bcc?: string[] | string;
                    /** @description By default, the conversation of the message it answers, or a new one. */
                    conversation_id?: string;
                    attachments?: {
                        /** @description 1 to 255 characters without slashes. */
                        filename: string;
                        /** @description Default: application/octet-stream. */
                        content_type?: string;
                        data: string;
                        /** @description For a picture that the HTML shows as `cid:…`. */
                        content_id?: string;
                    }[];
                    /** @description Further header fields, such as List-Unsubscribe. */
                    headers?: {
                        [key: string]: string;
                    };
                    /** @description Where replies go instead of to the agent. */
                    reply_to?: string[] | string;
                    /** @description What it answers: a message of the agent (`msg_…`), or a Message-ID (`<…@…>`). */
                    reply_to_message_id?: string;
                    /** @description Message-IDs with their angle brackets, oldest first. */
                    references?: string[];
                };
            };
        };
        responses: {
            /** @description Sent */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sent"];
                };
            };
            /** @description Sent */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sent"];
                };
            };
        };
    };
    checkMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "to": [
                 *         "bob@example.com"
                 *       ],
                 *       "subject": "Hello",
                 *       "body": "Good day."
                 *     }
                 */
                "application/json": {
                    /** @description The agent's address; optional for a key of one agent, or if the account has one agent. */
                    from?: string;
                    /** @description `a@b.example` or `Name <a@b.example>`. */
                    to?: string[] | string;
                    subject: string;
                    /** @description Plain text. */
                    body: string;
                    html_body?: string;
                    cc?: string[] | string;
                    /** @description Hidden from the other recipients. */
                    bcc?: string[] | string;
                    /** @description By default, the conversation of the message it answers, or a new one. */
                    conversation_id?: string;
                    attachments?: {
                        /** @description 1 to 255 characters without slashes. */
                        filename: string;
                        /** @description Default: application/octet-stream. */
                        content_type?: string;
                        data: string;
                        /** @description For a picture that the HTML shows as `cid:…`. */
                        content_id?: string;
                    }[];
                    /** @description Further header fields, such as List-Unsubscribe. */
                    headers?: {
                        [key: string]: string;
                    };
                    /** @description Where replies go instead of to the agent. */
                    reply_to?: string[] | string;
                    /** @description What it answers: a message of the agent (`msg_…`), or a Message-ID (`<…@…>`). */
                    reply_to_message_id?: string;
                    /** @description Message-IDs with their angle brackets, oldest first. */
                    references?: string[];
                };
            };
        };
        responses: {
            /** @description Forecast */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Forecast"];
                };
            };
        };
    };
    listOutbound: {
        parameters: {
            query?: {
                status?: "pending_approval" | "queued" | "sending" | "deferred" | "sent" | "delivered" | "bounced" | "failed" | "cancelled" | "rejected" | "expired_approved" | "expired_rejected";
                /** @description Default: every type but `notice`, the server's own mail to reviewers, which agent keys cannot see. */
                type?: "send" | "reply" | "forward" | "test" | "notice";
                /** @description The address of the agent that sent it. */
                agent?: string;
                conversation_id?: string;
                /** @description Handed in at or after this time. */
                since?: string;
                /** @description Handed in before this time. */
                until?: string;
                /** @description `false` leaves out the bytes of the files of messages that wait for approval. */
                data?: boolean;
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        messages: components["schemas"]["Outbound"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    getOutbound: {
        parameters: {
            query?: {
                /** @description `false` leaves out the bytes of the files of messages that wait for approval. */
                data?: boolean;
            };
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Outbound */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outbound"];
                };
            };
        };
    };
    getRawOutbound: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The message */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "message/rfc822": unknown;
                };
            };
        };
    };
    getOutboundAttachment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
                /** @description The attachment's place in the message, from 0. */
                index: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The decoded attachment */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "*/*": unknown;
                };
            };
        };
    };
    cancelOutbound: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Outbound */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outbound"];
                };
            };
        };
    };
    releaseOutbound: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Outbound */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outbound"];
                };
            };
        };
    };
    approveMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "subject": "Your invoice",
                 *       "content_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
                 *     }
                 */
                "application/json": {
                    to?: string[] | string;
                    cc?: string[] | string;
                    bcc?: string[] | string;
                    subject?: string;
                    /** @description Plain text. */
                    body_text?: string;
                    /** @description Empty for none. */
                    body_html?: string;
                    attachments?: {
                        /** @description 1 to 255 characters without slashes. */
                        filename: string;
                        /** @description Default: application/octet-stream. */
                        content_type?: string;
                        data: string;
                        /** @description For a picture that the HTML shows as `cid:…`. */
                        content_id?: string;
                        /** @description Has no effect: the attachment's place in the message that was read. */
                        index?: number;
                        /** @description Has no effect: the attachment's size in the message that was read. */
                        size?: number;
                    }[];
                    /** @description The hash of the content that was reviewed. The decision fails if the content has changed since. */
                    content_hash?: string;
                };
            };
        };
        responses: {
            /** @description Approved */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Approved"];
                };
            };
            /** @description Approved */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Approved"];
                };
            };
        };
    };
    rejectMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "reason": "The price is wrong."
                 *     }
                 */
                "application/json": {
                    /** @description The agent reads it. */
                    reason?: string;
                    /** @description The hash of the content that was reviewed. The decision fails if the content has changed since. */
                    content_hash?: string;
                };
            };
        };
        responses: {
            /** @description Rejected */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Rejected"];
                };
            };
        };
    };
    undoApproval: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Outbound */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outbound"];
                };
            };
        };
    };
    approveLinkAttachment: {
        parameters: {
            query?: {
                /** @description The token. */
                t?: string;
                /** @description The same, as older links name it. */
                token?: string;
            };
            header?: never;
            path: {
                /** @description The attachment's place in the message, from 0. */
                index: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The decoded attachment */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "*/*": unknown;
                };
            };
        };
    };
    rejectLinkAttachment: {
        parameters: {
            query?: {
                /** @description The token. */
                t?: string;
                /** @description The same, as older links name it. */
                token?: string;
            };
            header?: never;
            path: {
                /** @description The attachment's place in the message, from 0. */
                index: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The decoded attachment */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "*/*": unknown;
                };
            };
        };
    };
    showApproveLink: {
        parameters: {
            query?: {
                /** @description The token. */
                t?: string;
                /** @description The same, as older links name it. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": unknown;
                };
            };
        };
    };
    postApproveLink: {
        parameters: {
            query?: {
                /** @description The token. */
                t?: string;
                /** @description The same, as older links name it. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": unknown;
                };
            };
        };
    };
    showRejectLink: {
        parameters: {
            query?: {
                /** @description The token. */
                t?: string;
                /** @description The same, as older links name it. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": unknown;
                };
            };
        };
    };
    postRejectLink: {
        parameters: {
            query?: {
                /** @description The token. */
                t?: string;
                /** @description The same, as older links name it. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": unknown;
                };
            };
        };
    };
    listAudit: {
        parameters: {
            query?: {
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        entries: components["schemas"]["AuditEntry"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    listConversations: {
        parameters: {
            query?: {
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        conversations: components["schemas"]["Conversation"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    getConversation: {
        parameters: {
            query?: {
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        conversation_id: string;
                        /** @description The subject of its first message. */
                        subject: string;
                        messages: components["schemas"]["MessageSummary"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    listSuppressions: {
        parameters: {
            query?: {
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        suppressions: components["schemas"]["Suppression"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    createSuppression: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "address": "ann@example.com",
                 *       "detail": "Asked us to stop."
                 *     }
                 */
                "application/json": {
                    /** @description Such as ann@example.com. */
                    address: string;
                    /** @description A note for people. */
                    detail?: string;
                };
            };
        };
        responses: {
            /** @description Suppression */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Suppression"];
                };
            };
            /** @description Suppression */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Suppression"];
                };
            };
        };
    };
    getSuppression: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The mail address; `@` may be written `%40`, case does not matter. */
                address: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Suppression */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Suppression"];
                };
            };
        };
    };
    deleteSuppression: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The mail address; `@` may be written `%40`, case does not matter. */
                address: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Off the list */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    listen: {
        parameters: {
            query?: {
                /** @description The API key, where headers cannot be set. */
                token?: string;
            };
            header?: never;
            path: {
                /** @description The agent's address; `@` may be written `%40`, case does not matter. */
                email: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    followEvents: {
        parameters: {
            query?: {
                /** @description The API key, where headers cannot be set. */
                token?: string;
                /** @description The last event's id that you have seen; what follows is new. */
                after?: string;
                /** @description Types, separated by commas. Default: all. */
                types?: string;
                /** @description About this agent. */
                agent?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listWebhooks: {
        parameters: {
            query?: {
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        webhooks: components["schemas"]["Webhook"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    createWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "url": "https://hooks.example.com/e2a",
                 *       "events": [
                 *         "message.bounced",
                 *         "message.held"
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @description Where a cloud agent's mail is POSTed; https. */
                    url: string;
                    /** @description The types it gets. Default: all, also future ones. */
                    events?: string[];
                    /** @description Addresses of agents. Default: all, and what is about none. */
                    agents?: string[];
                    description?: string;
                };
            };
        };
        responses: {
            /** @description Webhook */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
        };
    };
    getWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
        };
    };
    deleteWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    updateWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "status": "enabled"
                 *     }
                 */
                "application/json": {
                    /** @description Where a cloud agent's mail is POSTed; https. */
                    url?: string;
                    /** @description The types it gets. Default: all, also future ones. */
                    events?: string[];
                    /** @description Addresses of agents. Default: all, and what is about none. */
                    agents?: string[];
                    description?: string;
                    /**
                     * @description `disabled` keeps what is to be delivered until it is enabled.
                     * @enum {string}
                     */
                    status?: "enabled" | "disabled";
                };
            };
        };
        responses: {
            /** @description Webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
        };
    };
    testWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Delivery */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Delivery"];
                };
            };
        };
    };
    listDeliveries: {
        parameters: {
            query?: {
                /** @description About this agent. */
                agent?: string;
                /** @description To this webhook; the agent's address for an agent's own. */
                webhook?: string;
                /** @description About this received message. */
                message?: string;
                status?: "pending" | "paused" | "succeeded" | "failed";
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        deliveries: components["schemas"]["Delivery"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    redeliverFailed: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "since": "2026-05-15T12:00:00Z"
                 *     }
                 */
                "application/json": {
                    /**
                     * Format: date-time
                     * @description Deliveries that failed for good at or after this time.
                     */
                    since: string;
                    /** @description About this agent. */
                    agent?: string;
                    /** @description To this webhook; the agent's address for an agent's own. */
                    webhook?: string;
                    /**
                     * @description The only one, and the default.
                     * @constant
                     */
                    status?: "failed";
                };
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        redelivered: number;
                    };
                };
            };
        };
    };
    getDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description DeliveryDetail */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryDetail"];
                };
            };
        };
    };
    redeliver: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Delivery */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Delivery"];
                };
            };
        };
    };
    listEventSchemas: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        schemas: {
                            [key: string]: unknown;
                        };
                    };
                };
            };
        };
    };
    getEventSchema: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                type: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A JSON Schema (2020-12) */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/schema+json": unknown;
                };
            };
        };
    };
    listEvents: {
        parameters: {
            query?: {
                /** @description The last event's id that you have seen; what follows is new. */
                after?: string;
                /** @description Types, separated by commas. Default: all. */
                types?: string;
                /** @description About this agent. */
                agent?: string;
                /** @description Seconds to wait for an event when there is none. */
                wait?: number;
                /** @description `asc`: oldest first. */
                sort?: "asc" | "desc";
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        events: components["schemas"]["Event"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    getEvent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The resource's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Event */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Event"];
                };
            };
        };
    };
    listDomains: {
        parameters: {
            query?: {
                /** @description Entries in one answer, from 1 to 100; a number beyond counts as the nearest of these. */
                page_size?: number;
                /** @description `next_token` of the page before, with the same filters. */
                token?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        domains: components["schemas"]["Domain"][];
                        /** @description Pass it as `token` for the next page; absent on the last. */
                        next_token?: string;
                    };
                };
            };
        };
    };
    createDomain: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "domain": "agents.example.com"
                 *     }
                 */
                "application/json": {
                    /** @description Such as agents.example.com. */
                    domain: string;
                };
            };
        };
        responses: {
            /** @description Domain */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Domain"];
                };
            };
        };
    };
    getDomain: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The domain's name. */
                domain: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Domain */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Domain"];
                };
            };
        };
    };
    deleteDomain: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The domain's name. */
                domain: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patchDomain: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The domain's name. */
                domain: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "paused": true
                 *     }
                 */
                "application/json": {
                    /** @description Freezes outbound mail of all its agents. */
                    paused: boolean;
                };
            };
        };
        responses: {
            /** @description Domain */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Domain"];
                };
            };
        };
    };
    verifyDomain: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same request with the same key within 24 hours gets the first one's answer again. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The domain's name. */
                domain: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Domain */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Domain"];
                };
            };
        };
    };
    signIn: {
        parameters: {
            query?: {
                /** @description Redirects to this provider at once, if it is configured. */
                provider?: "google" | "oidc";
                /** @description A path of this server, for afterwards. */
                return_to?: string;
                /** @description Where a command line waits for a key: http on this computer itself. */
                cli_callback?: string;
                /** @description Goes with `cli_callback`, and comes back to it. */
                cli_state?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": unknown;
                };
            };
        };
    };
    finishGoogleSignIn: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    finishOidcSignIn: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
}
