/** Chromium for tests of the report: one browser per file, pages that note every request, error and message. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { chromiumPath } from '#tests/machine.ts'

export interface OpenedReport {
  readonly page: Page
  /** Errors and warnings of the console, and exceptions. */
  readonly complaints: string[]
  /** Every request but that for the file itself. */
  readonly requests: string[]
}

export interface Reports {
  /** Opens a report from a file, as people do, and waits until it says that it is ready. */
  open(html: string, options?: BrowserContextOptions): Promise<OpenedReport>
  /** A page that shows nothing yet. */
  blank(): Promise<Page>
}

/** Call in a `describe`: the browser lives as long as its tests. */
export function useChromium(): Reports {
  let browser: Browser | undefined
  let folder = ''
  let files = 0
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'faultline-report-'))
    const executablePath = chromiumPath()
    if (executablePath === undefined) throw new Error('there is no Chromium on this machine: install chromium')
    // In containers the sandbox of Chromium needs rights that root has not.
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'], timeout: 150_000 })
  })
  afterAll(async () => {
    await browser?.close()
    if (existsSync(folder)) rmSync(folder, { recursive: true, force: true })
  })
  const blank = async (options: BrowserContextOptions = {}) => {
    if (!browser) throw new Error('the browser has not started')
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    const page = await context.newPage()
    page.setDefaultTimeout(150_000)
    return page
  }
  return {
    blank,
    open: async (html, options) => {
      const file = path.join(folder, `report-${(files += 1)}.html`)
      writeFileSync(file, html)
      const page = await blank(options)
      const complaints: string[] = []
      const requests: string[] = []
      const url = pathToFileURL(file).href
      page.on('console', message => {
        if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
      })
      page.on('pageerror', error => complaints.push(String(error)))
      page.on('request', request => {
        if (request.url() !== url && !request.url().startsWith('data:')) requests.push(request.url())
      })
      await page.goto(url)
      await page.locator('html[data-ready]').waitFor({ state: 'attached' })
      return { page, complaints, requests }
    },
  }
}
